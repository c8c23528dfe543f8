"""Export of models into files for use without this package.

=================  =========================================================
module             holds
=================  =========================================================
``wrappers``       models from pixels to probabilities
``plain_copy``     a copy on the CPU, float32, with adapters merged
``interface``      dynamic and static axes; the metadata
``program``        the traced graph; the parts of a format
``pt2_file``       files of torch.export
``onnx_file``      files of ONNX
``pte_file``       files of ExecuTorch
``verify``         each file against the model: differences and times
``report``         ``report.md`` and ``report.json``
``export``         the order of all steps
=================  =========================================================
"""
from .export import FORMATS, ExportedFile, check_formats, export_model
from .verify import LIMIT
from .wrappers import BareBackbone, WholeClassifier, WholeRecognizer, wrap

__all__ = [
    'BareBackbone', 'ExportedFile', 'FORMATS', 'LIMIT', 'WholeClassifier',
    'WholeRecognizer', 'check_formats', 'export_model', 'wrap'
]
