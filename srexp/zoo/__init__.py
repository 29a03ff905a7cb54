"""Networks that come with the package: trained weights, each with a card and the digests of the images that it saw.

How a network is loaded belongs to `tracking`, how it is made to `experiment`.
"""
