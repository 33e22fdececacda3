"""How the samples of an epoch are chosen, by name."""

# uniform: each once. balanced: every class equally often, see `pipeline.balance`.
UNIFORM, BALANCED = "uniform", "balanced"
SAMPLINGS = (UNIFORM, BALANCED)
SAMPLING_HELP = "samples of an epoch: uniform (each once) or balanced (every class equally often)"
