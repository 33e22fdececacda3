"""Settings: the job and the place of a run from flags, environment and YAML. What they are stands in `workers.job`."""
