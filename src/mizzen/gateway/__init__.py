"""The one door to all models and Services: OpenAI's HTTP API in front of ModelEndpoints' replicas,
and a plain proxy in front of the pods of Services.

It routes, queues and drives scaling: it alone knows how many requests there are, so it writes
the wanted number of replicas into the endpoint's status at the request that changes it. It loads
no model, tokenises nothing, and starts no pods.
"""
