"""The mobile form of the model: the same numbers with operations that phones have."""

from deimv2.converters.graph.form import MobileForm, Target, mobile_form

__all__ = ["MobileForm", "Target", "mobile_form"]
