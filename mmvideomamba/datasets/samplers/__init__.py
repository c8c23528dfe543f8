"""Samplers that the hosts do not have."""
from .placed_sampler import Place, PlacedSampler
from .shard_sampler import ShardSampler

__all__ = ['Place', 'PlacedSampler', 'ShardSampler']
