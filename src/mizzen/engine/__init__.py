"""The inference engine of one replica: OpenAI's HTTP API around openvino-genai.

One process, one model, one batch that requests join and leave at any step. It knows nothing of
the cluster: the gateway finds it by address. It lacks API keys, TLS and several models on purpose;
those are the gateway's.
"""
