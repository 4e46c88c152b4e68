"""The one door to all models: OpenAI's HTTP API in front of the replicas of ModelEndpoints.

It routes, queues and drives scaling: it alone knows how many requests there are, so it writes
the wanted number of replicas into the endpoint's status at the request that changes it. It loads
no model, tokenises nothing, and starts no pods.
"""
