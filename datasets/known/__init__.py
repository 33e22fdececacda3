"""The specifications of the datasets that Millrace knows by name: a file for each family of them."""
