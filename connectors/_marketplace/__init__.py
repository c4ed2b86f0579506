"""What the channels of Chinese marketplaces share: a seller's grant, Beijing's times, after-sales cases."""
