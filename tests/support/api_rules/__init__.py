"""The API's documented rules, each as one function that asks a server and judges its answers.

The same rules are asked of Mizzen (`tests/contract/apiserver/test_api_rules.py`) and of the real
kube-apiserver (`tests/kubernetes/test_api_rules.py`); `docs/api-rules.md` lists them.
"""
