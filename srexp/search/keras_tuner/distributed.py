"""A study over several machines, in Keras Tuner's chief-worker mode; imported without Keras Tuner, as its study."""

from __future__ import annotations

from srexp.search.ask_and_tell import Train
from srexp.search.keras_tuner.study import TunerStudy


class ChiefStudy(TunerStudy):
    """The study on the machine of the chief, which trains nothing itself."""

    def work(self, train: Train) -> None:
        """Answer the workers until they have trained enough trials."""
        from srexp.search.keras_tuner.remote_oracle import serve

        serve(self)


class WorkerStudy(TunerStudy):
    """The study on the machine of a worker, whose trials are the chief's."""

    def work(self, train: Train) -> None:
        """Train trials that the chief gives."""
        from srexp.search.keras_tuner.remote_oracle import RemoteOracle

        RemoteOracle().work(train)
