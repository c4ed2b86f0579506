"""HTTP in two rooms: the public one customers and platforms reach, and the admin's."""
