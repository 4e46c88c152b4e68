"""`make soak`: half an hour of churn, kills, full disks and little memory, then what must hold."""
