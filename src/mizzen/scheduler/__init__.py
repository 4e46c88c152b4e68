"""Decides which pods run where, on which devices, and who has to leave for them.

Deliberately lacks: any knowledge of TrainJobs or endpoints. It sees pods, claims, gangs
(PodGroups) and priorities; what those stand for is the controllers' business.
"""
