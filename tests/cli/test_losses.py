from __future__ import annotations

from eoam_cli.video.losses import Losses


def _through(losses: Losses, entered: list[int], shown: list[int], *, refused: int = 0) -> Losses:
    for time in entered:
        losses.entered(time)
    for _ in range(refused):
        losses.refused()
    for time in shown:
        losses.shown(time)
    losses.ended()
    return losses


def test_what_comes_out_whole_has_no_note() -> None:
    losses = _through(Losses(), [0, 3, 1, 2], [0, 1, 2, 3])
    assert (losses.pictures, losses.notes) == (0, ())


def test_a_packet_that_shows_nothing_by_design_is_no_loss() -> None:
    assert _through(Losses(), [0, 1, 2, 3], [0, 1, 3]).pictures == 0


def test_what_a_decoder_refuses_is_counted_with_what_depends_on_it() -> None:
    losses = _through(Losses(), [0, 1, 2, 3, 4], [0, 4], refused=1)
    assert losses.notes == ("The video is damaged: 3 frames were left out.",)


def test_many_missing_ones_need_no_complaint() -> None:
    assert _through(Losses(), list(range(20)), [0, *range(12, 20)]).pictures == 11


def test_pictures_without_times_are_counted_by_the_complaints() -> None:
    losses = Losses()
    losses.entered(None)
    losses.refused()
    losses.ended()
    assert losses.notes == ("The video is damaged: 1 frame was left out.",)


def test_half_a_picture_at_a_cut_belongs_to_the_missing_end() -> None:
    losses = Losses()
    losses.entered(5)
    losses.refused()
    losses.cut_short(after=1.0, of=3.0)
    losses.ended()
    assert losses.notes == ("The video ends early: the last 2.0 of 3.0 seconds are missing.",)


def test_frames_without_times_leave_nothing_behind() -> None:
    losses = Losses()
    for time in range(30):
        losses.entered(time)
        losses.shown(None)
    losses.ended()
    assert losses.pictures == 0
