"""Samplers that the hosts do not have."""
from .shard_sampler import ShardSampler

__all__ = ['ShardSampler']
