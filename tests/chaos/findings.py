"""The two ways in which a schedule ends badly."""


class Finding(Exception):
    """The product did not do what it promises."""


class Harness(Exception):
    """The play itself could not do its part; nothing is known of the product."""
