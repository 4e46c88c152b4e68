"""HorizontalPodAutoscalers, in the version that is stored and in the first one."""
