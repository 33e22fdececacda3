"""Ray actors around the plain classes of `workers`: the one place that imports Ray. Enter by `session.session`."""
