"""Videos and texts in one space, and a judge of pairs."""
from typing import Any, Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmvideomamba.loss_weight import check_loss_weight, warn_unused_teacher
from mmvideomamba.registry import MODELS
from mmvideomamba.upload import upload
from ..layers import draw_distinct
from ..masking import MASK_SOURCES, MaskedTeacher, merge_single_view
from .gather import GATHER_GRADS, gather_features
from .losses import (check_partners, contrastive_loss, mask_words,
                     negative_weights, similarity)
from .retrieval import RetrievalScorer
from .video_text_base import VideoTextBase
from .vision_tower import VisionOutput

LOSSES = ('vtc', 'vtm', 'mlm', 'uta')


@MODELS.register_module()
class VideoTextModel(VideoTextBase):
    """A video-text model for pretraining and retrieval.

    Four losses, each left out where its weight is 0: VTC brings a video and
    its text together, against all others of the batch on all processes; VTM
    tells a pair from one with a wrong partner that looks right; MLM guesses
    words of the text with the help of the video; UTA aligns the visible
    tokens of a masked video with a frozen teacher, see ``UMT``.

    A batch is of videos or of images, which have one frame. Data samples
    hold ``text`` (str) and ``pair_id`` (int): equal ids are positives.

    Args:
        vision_encoder (dict): ``VisionTower``.
        text_encoder (dict): ``TextTower``.
        tokenizer (dict): Arguments of ``TextTokenizer``.
        embed_dims (int): Channels of the common space. Defaults to 512.
        loss_weights (dict): Factor by name. Defaults to 1 for vtc and vtm.
        teacher (dict, optional): ``CLIPTeacher`` with ``norm='none'``, for
            UTA and attention masks. Defaults to None.
        alignment_loss (dict): ``AlignmentLoss`` of UTA. Defaults to 'l2' of
            normalised features.
        align_images_only (bool): Whether the loss UTA leaves videos out. They
            are masked all the same, as published. Defaults to False.
        mask_cfg (dict, optional): For 'video' and 'image' a dict with
            ``source``, 'attention' (drawn from the teacher's) or 'data' (the
            samples' ``mask``, see ``TokenMask``), and for the former
            ``ratio``. Masks are made where UTA is trained. Defaults to None.
        masked_keep_temporal (bool): Whether to pool masked videos once per
            frame; published for tubes only. Defaults to False.
        temperature (float): Initial divisor of the similarities, learned and
            kept in ``temperature_range``. Defaults to 0.07.
        temperature_range (tuple[float, float]): Defaults to (0.001, 0.5).
        hard_negatives (bool): Whether VTM prefers similar wrong partners.
            Defaults to True.
        vtm_negatives (int): Wrong texts per video, and wrong videos per text,
            that VTM tells from the pair. The right pairs count for a third of
            the loss whatever the number. Defaults to 1, as published.
        mlm_probability (float): Share of words to guess. Defaults to 0.5.
        gather_grad (str): 'own', the published gradient of the features of
            other processes, or 'summed', the correct one; see
            ``gather_features``. Defaults to 'own'.
        data_preprocessor (dict, optional): The host's. Defaults to None.
        init_cfg (dict, optional): mmengine's initialisation config. Defaults
            to None.

    Raises:
        ValueError: If an argument is not allowed.

    Source: VideoMamba, arXiv:2403.06977, Section 3.4; Li et al., Unmasked
    Teacher, arXiv:2303.16058, Section 3.3.
    """

    def __init__(self,
                 vision_encoder: dict,
                 text_encoder: dict,
                 tokenizer: dict,
                 embed_dims: int = 512,
                 loss_weights: Dict[str, float] = dict(vtc=1., vtm=1.),
                 teacher: Optional[dict] = None,
                 alignment_loss: dict = dict(
                     type='mmvideomamba.AlignmentLoss', normalize=True),
                 align_images_only: bool = False,
                 mask_cfg: Optional[Dict[str, dict]] = None,
                 masked_keep_temporal: bool = False,
                 temperature: float = 0.07,
                 temperature_range: Tuple[float, float] = (0.001, 0.5),
                 hard_negatives: bool = True,
                 vtm_negatives: int = 1,
                 mlm_probability: float = 0.5,
                 gather_grad: str = 'own',
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        _check_choices(loss_weights, gather_grad, mask_cfg)
        super().__init__(vision_encoder, text_encoder, tokenizer,
                         data_preprocessor, init_cfg)
        self.loss_weights = {k: loss_weights.get(k, 0.) for k in LOSSES}
        self.vision_proj = nn.Linear(self.vision_encoder.embed_dims,
                                     embed_dims)
        self.text_proj = nn.Linear(self.text_encoder.width, embed_dims)
        self.itm_head = nn.Linear(self.text_encoder.width, 2)
        self.temp = nn.Parameter(torch.tensor(temperature))
        self.temperature_range = tuple(temperature_range)
        self.clip_teacher: Any = MODELS.build(teacher) if teacher else None
        self.alignment_loss = MODELS.build(alignment_loss)
        self.align_images_only = align_images_only
        self.mask_cfg = mask_cfg or {}
        self.masked_keep_temporal = masked_keep_temporal
        self.hard_negatives = hard_negatives
        if vtm_negatives < 1:
            raise ValueError('vtm_negatives of VideoTextModel must be at '
                             f'least 1, but is {vtm_negatives}')
        self.vtm_negatives = vtm_negatives
        self.mlm_probability = mlm_probability
        self.gather_grad = gather_grad
        self._check_parts()

    def _check_parts(self) -> None:
        if self.loss_weights['mlm'] and not self.text_encoder.with_mlm:
            raise ValueError('loss_weights has mlm, but the text_encoder has '
                             'with_mlm=False')
        aligned = self.loss_weights['uta'] > 0
        idle = not aligned or not getattr(self.alignment_loss, 'loss_weight',
                                          1)
        if self.clip_teacher is not None and idle:
            warn_unused_teacher(
                'VideoTextModel', 'uta in loss_weights, or '
                'loss_weight of alignment_loss, is 0')
        if aligned and None in (self.clip_teacher, self.vision_encoder.neck):
            raise ValueError('loss_weights has uta, which needs a teacher and '
                             'a neck of the vision_encoder')
        for kind in ('image', 'video') if aligned else ():
            if kind not in self.mask_cfg:
                raise ValueError(f'loss_weights has uta, but mask_cfg tells '
                                 f'no mask for {kind!r}')
            self._masked_teacher(kind, 1)  # refuses a bad ratio

    def predict(self, inputs: Tensor,
                data_samples: List[BaseDataElement]) -> Any:
        """Refuse: retrieval scores all videos and texts of a set at once.

        Args:
            inputs (Tensor): See ``forward``.
            data_samples (list[BaseDataElement]): See the class.

        Returns:
            Any: Never.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            'VideoTextModel does not predict sample by sample; evaluate with '
            'mmvideomamba.RetrievalValLoop and RetrievalTestLoop')

    def retrieval_scorer(self, **kwargs: Any) -> RetrievalScorer:
        """Return what scores a whole set.

        Args:
            **kwargs (Any): Arguments of ``RetrievalScorer``.

        Returns:
            RetrievalScorer: Of this model.
        """
        return RetrievalScorer(self, **kwargs)

    def match_logit(self,
                    text: Tensor,
                    mask: Tensor,
                    vision: Tensor,
                    attended: bool = False) -> Tensor:
        """Judge pairs.

        Args:
            text (Tensor): From ``text_encoder.encode``, (b, l, width).
            mask (Tensor): 1 for a token, shape (b, l).
            vision (Tensor): Visual tokens of g videos, shape (g, v, c), each
                for b / g texts in a row, see ``TextTower.fuse``.
            attended (bool): Whether ``text`` comes from
                ``text_encoder.attend`` instead. Defaults to False.

        Returns:
            Tensor: Logits of no pair and pair, shape (b, 2).
        """
        return self.itm_head(
            self.text_encoder.fuse_first(text, mask, vision, attended))

    def loss(self, inputs: Tensor,
             data_samples: List[BaseDataElement]) -> Dict[str, Tensor]:
        """Compute the losses of a batch; see ``forward``.

        Args:
            inputs (Tensor): Clips, see ``forward``.
            data_samples (list[BaseDataElement]): See the class.

        Returns:
            dict[str, Tensor]: ``loss_vtc`` and so on, times their weights,
            and the temperature for the log.
        """
        # Before each pass, as published: a step may leave the range.
        with torch.no_grad():
            self.temp.clamp_(*self.temperature_range)
        clips = merge_single_view(inputs)
        losses = {}
        vision, alignment = self._see(clips, data_samples)
        if alignment is not None:
            losses['loss_uta'] = alignment
        words = self.tokenizer([sample.text for sample in data_samples])
        tokens = self.uploaded(words)
        text = self.text_encoder.encode(*tokens)
        pair_ids = torch.tensor([s.pair_id for s in data_samples])
        ids = upload(pair_ids, clips.device)
        features = (self.vision_proj(vision.pooled), self.text_proj(text[:,
                                                                         0]))
        if self.loss_weights['vtc']:
            videos, texts = (
                gather_features(x, self.gather_grad) for x in features)
            losses['loss_vtc'] = contrastive_loss(
                similarity(videos, texts, self.temp), gather_features(ids))
        if self.loss_weights['vtm']:
            # Ids on the host: a look at a GPU would wait.
            check_partners(pair_ids, self.vtm_negatives)
            with torch.no_grad():
                # Wrong partners come from the own process, as published.
                sim = similarity(*features, self.temp)
            losses['loss_vtm'] = self._vtm(vision.tokens, text, tokens.mask,
                                           sim, ids)
        if self.loss_weights['mlm']:
            losses['loss_mlm'] = self._mlm(vision.tokens, words.ids,
                                           tokens.mask)
        losses = {
            k: v * self.loss_weights[k[len('loss_'):]]
            for k, v in losses.items()
        }
        # A copy: the optimizer changes temp before the log is written.
        return dict(**losses, temperature=self.temp.detach().clone())

    def _see(
        self, clips: Tensor, data_samples: List[BaseDataElement]
    ) -> Tuple[VisionOutput, Optional[Tensor]]:
        """Encode a batch of training, masked where UTA is trained.

        Args:
            clips (Tensor): Shape (b, 3, frames, h, w).
            data_samples (list[BaseDataElement]): See the class.

        Returns:
            tuple[VisionOutput, Tensor | None]: Tokens, and the alignment
            loss, a scalar, None where UTA is not trained or leaves videos out.
        """
        if self.loss_weights['uta'] == 0:
            return self.vision_encoder(clips), None
        kind = 'image' if clips.shape[2] == 1 else 'video'
        teacher = self._masked_teacher(kind, clips.shape[2])
        targets = teacher(clips, data_samples)
        vision = self.vision_encoder(clips, targets.visible,
                                     self.masked_keep_temporal)
        # As published, the option leaves out the loss of videos, not the mask.
        if kind == 'video' and self.align_images_only:
            return vision, None
        targets.check_decoded(vision.decoded)
        return vision, self.alignment_loss(vision.decoded, targets.features)

    def _masked_teacher(self, kind: str, num_frames: int) -> MaskedTeacher:
        """Return the teacher with the mask of videos or of images."""
        backbone = self.vision_encoder.backbone
        t, h, w = backbone.grid
        grid = (t * num_frames // backbone.num_frames, h, w)
        return MaskedTeacher(self.clip_teacher, grid, **self.mask_cfg[kind])

    def _vtm(self, vision: Tensor, text: Tensor, mask: Tensor, sim: Tensor,
             ids: Tensor) -> Tensor:
        """Tell pairs (b, v, c), (b, l, width) from wrong ones."""
        count = self.vtm_negatives
        other_vision, other_text = (
            draw_distinct(
                negative_weights(s, ids, self.hard_negatives, count), count)
            for s in (sim.t(), sim))
        # Each video with its text and the wrong ones, then the wrong videos.
        own = torch.arange(len(ids), device=ids.device)[:, None]
        texts = torch.cat([own, other_text], dim=1).flatten()
        again = own.expand_as(other_vision).flatten()
        logits = torch.cat([
            self.match_logit(text[texts], mask[texts], vision),
            self.match_logit(text[again], mask[again],
                             vision[other_vision.flatten()])
        ]).float()
        places = torch.arange(len(logits), device=logits.device)
        pairs = (places < len(texts)) & (places % (1 + count) == 0)
        # Each right pair has the weight of two wrong ones in three.
        weights = torch.where(pairs, 1., 1. / count)
        losses = F.cross_entropy(logits, pairs.long(), reduction='none')
        loss = (losses * weights).sum() / weights.sum()
        # 0, or NaN after similarities that are not finite, of which negatives
        # are drawn evenly: the loss tells of a divergence.
        return loss + (sim - sim).sum()

    def _mlm(self, vision: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Guess words, from ids on the host, which chooses the words."""
        words = mask_words(ids, (self.tokenizer.pad_id, self.tokenizer.cls_id),
                           self.tokenizer.mask_id,
                           self.text_encoder.config.vocab_size,
                           self.mlm_probability)
        labels = words.labels.flatten()
        # On the host: nonzero on a GPU waits for the number of places.
        places = (labels != -100).nonzero()[:, 0]
        shown, wanted, places = (
            upload(x, vision.device)
            for x in (words.ids, labels[places], places))
        text = self.text_encoder.encode(shown, mask)
        fused = self.text_encoder.fuse(text, mask, vision).flatten(0, 1)
        # The vocabulary is wide: logits of the places to guess alone.
        logits = self.text_encoder.word_logits(fused[places]).float()
        # Few texts may have no word to guess: the loss is then 0, not NaN.
        total = F.cross_entropy(logits, wanted, reduction='sum')
        return total / max(len(places), 1)


def _check_choices(loss_weights: Dict[str, float], gather_grad: str,
                   mask_cfg: Optional[Dict[str, dict]]) -> None:
    if set(loss_weights) - set(LOSSES):
        raise ValueError(f'loss_weights takes weights of {list(LOSSES)}, but '
                         f'got {dict(loss_weights)}')
    for name, weight in loss_weights.items():
        check_loss_weight(f'{name} in loss_weights', weight)
    if gather_grad not in GATHER_GRADS:
        raise ValueError(f'gather_grad must be one of {list(GATHER_GRADS)}, '
                         f'but got {gather_grad!r}')
    for kind, cfg in (mask_cfg or {}).items():
        known = kind in ('video',
                         'image') and cfg.keys() <= {'source', 'ratio'}
        if not known or cfg.get('source') not in MASK_SOURCES:
            raise ValueError(
                "mask_cfg takes 'video' and 'image', each with a source of "
                f'{list(MASK_SOURCES)} and a ratio, but got {kind!r}: '
                f'{dict(cfg)}')
