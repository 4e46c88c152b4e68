"""Priority and fairness: which requests are served before others."""
