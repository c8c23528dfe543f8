"""Import mmaction2's VindLU at the first use of a VindLU model."""
from .late_module import LateModule
from .multimodal import multimodal_trouble
from .workaround import Workaround, installed_release, installed_version

_VINDLU = LateModule(
    name='mmaction.models.multimodal.vindlu',
    public=('vindlu', 'BeitModel3D', 'BertDecoder', 'BertModel',
            'VindLURetrieval', 'VindLURetrievalMC', 'VindLUTokenizer',
            'VindLUVQA'),
    rows={
        'mmaction.registry.MODELS':
        ('BeitModel3D', 'BertDecoder', 'VindLURetrieval', 'VindLURetrievalMC',
         'VindLUVQA', 'XBertForMaskedLM', 'XBertModel'),
        'mmaction.registry.TOKENIZER': ('VindLUTokenizer', )
    },
    holders=('mmaction.models.multimodal', 'mmaction.models'))


def _cause() -> str:
    # The names above are of mmaction2 1.2.
    if (installed_release('mmaction2') != (1, 2)
            or not installed_version('transformers')
            or multimodal_trouble('mmaction')):
        return ''
    return 'mmaction2 1.2 imports transformers, seconds long, for VindLU'


WORKAROUND = Workaround(
    name='vindlu',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/models/'
    'multimodal/__init__.py',
    until='a release of mmaction2 that imports transformers on demand',
    around=_VINDLU.around,
    surround=_VINDLU.surround)
