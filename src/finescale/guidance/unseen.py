"""The part of weather that the products of a request do not see, hour by hour."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from finescale.fields.operator import Clock
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.observation import Observation, Source


class Unseen:
    """Takes from anomalies d what is told by their sight: d - C H^T (H C H^T)^-1 H d, C the climate's of a single hour.

    Products see nothing of what is left, neither of an hour nor of means over hours.

    Args:
        covariance: of the climate.
        observation: the products.
    """

    def __init__(self, covariance: ClimateCovariance, observation: Observation) -> None:
        self.covariance = covariance
        found = Observation(tuple(_of_one_hour(source) for source in observation.sources)).segment(0, 1)
        assert found is not None
        self.segment = found

    def __call__(self, anomalies: Tensor) -> Tensor:
        """Anomalies ``[M, T, C, H, W]``."""
        hours = anomalies.flatten(0, 1)[:, None]
        u = self.covariance.solve(self.segment, 1, math.inf, self.segment.apply(hours))
        told = self.covariance.spread(self.segment, u, hours, math.inf, slice(0, 1))
        return (hours - told).view_as(anomalies)


def _of_one_hour(source: Source) -> Source:
    """The same product with one value, exact and whole, for a single hour."""
    y, error = torch.zeros_like(source.y[:1]), torch.zeros_like(source.error)
    return replace(source, clock=Clock(1), first=0, y=y, error=error, lasting=None)
