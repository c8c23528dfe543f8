"""Self-distillation: a small trained teacher guides a larger student."""
from .distilled_classifier import DistilledClassifier
from .distilled_recognizer import DistilledRecognizer3D
from .token_distill_head import TokenDistillHead

__all__ = ['DistilledClassifier', 'DistilledRecognizer3D', 'TokenDistillHead']
