import torch

from mmvideomamba.upload import upload


def test_upload(place: torch.device) -> None:
    x = torch.arange(6.).view(2, 3)[:, 1:]
    place = torch.zeros(0, device=place).device
    found = upload(x, place)
    assert found.device == place
    assert torch.equal(found.cpu(), x)
    assert upload(found, place) is found
