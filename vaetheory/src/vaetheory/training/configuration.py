"""What a training run is made of, as a record that is written beside its checkpoint."""

from __future__ import annotations

import json
import typing
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from vaetheory.arguments import check_choice, check_count, check_number
from vaetheory.errors import ArgumentError

Objective = Literal["elbo", "bilbo", "bilbo-held", "bilbo-variances", "elbo-optimal", "elbo-shared"]
OBJECTIVES: Final = typing.get_args(Objective)
LikelihoodName = Literal["normal", "bernoulli"]
LIKELIHOODS: Final = typing.get_args(LikelihoodName)
Precision = Literal["float32", "float64"]
PRECISIONS: Final = typing.get_args(Precision)


@dataclass(frozen=True)
class Configuration:
    """Settings of a training run.

    Attributes
    ----------
    objective : {"elbo", "bilbo", "bilbo-held", "bilbo-variances", "elbo-optimal", "elbo-shared"}
        ``"elbo"``: learned variances, prior N(0, I). ``"bilbo"``: no variances, by BILBO.
        ``"bilbo-held"``: the same with the prior held from earlier batches. ``"bilbo-variances"``:
        learned variances by BILBO, the control. ``"elbo-optimal"``: the best covariance of each
        sample, computed, prior N(0, I). ``"elbo-shared"``: the best one that all share.
    data : str
        As for `load_data`.
    latent_size : int
        Dimension d of the latents.
    hidden : int
        Width of the hidden layers of encoder and decoder.
    layers : int
        Number of hidden layers of each.
    likelihood : {"normal", "bernoulli"}
        ``"normal"`` has one learned scale for all outputs.
    scale : float
        Where that scale starts.
    posterior_scale : float
        Standard deviation of the posteriors where the prior fits itself: for "bilbo" and
        "bilbo-held" it stays so, for "bilbo-variances" it is where learning starts. The objective
        is indifferent to it, the optimiser not.
    epochs : int
        Times that the training data are gone through.
    batch_size : int
        Samples in a step, over all processes.
    samples : int
        Latents drawn for each of them.
    learning_rate : float
        Of Adam; it falls to nothing along half a cosine.
    seed : int
        Of weights, order and noise.
    precision : {"float32", "float64"}
        Of the model.
    """

    objective: Objective = "bilbo"
    data: str = "digits"
    latent_size: int = 16
    hidden: int = 256
    layers: int = 2
    likelihood: LikelihoodName = "normal"
    scale: float = 0.3
    posterior_scale: float = 0.3
    epochs: int = 100
    batch_size: int = 100
    samples: int = 1
    learning_rate: float = 1e-3
    seed: int = 0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        check_choice("objective", self.objective, OBJECTIVES)
        check_choice("likelihood", self.likelihood, LIKELIHOODS)
        check_choice("precision", self.precision, PRECISIONS)
        for name in ("latent_size", "hidden", "layers", "epochs", "samples"):
            check_count(name, getattr(self, name))
        check_count("batch_size", self.batch_size, 2)
        check_count("seed", self.seed, 0)
        for name in ("scale", "posterior_scale", "learning_rate"):
            check_number(name, getattr(self, name), 0)
        if not isinstance(self.data, str):
            raise ArgumentError(f"data must be a str, got {type(self.data).__name__}")

    def to_json(self) -> str:
        """Write as JSON that can be read and edited."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Configuration:
        """Read what `to_json` wrote.

        Raises
        ------
        ArgumentError
            If it is not that.
        """
        try:
            found: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise ArgumentError(f"configuration must be JSON: {error}") from error
        if not isinstance(found, dict):
            raise ArgumentError("configuration must be a JSON object")
        known = {field.name for field in fields(cls)}
        if found.keys() != known:
            wrong = ", ".join(sorted(found.keys() ^ known))
            raise ArgumentError(f"configuration must have the settings of `Configuration`: {wrong}")
        return cls(**found)
