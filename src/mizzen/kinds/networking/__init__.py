"""The kinds of networking.k8s.io: how traffic comes in, who may talk to whom, whose an IP is."""
