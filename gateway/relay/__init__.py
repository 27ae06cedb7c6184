"""Questions for sites that open no port, held in memory until they are fetched."""
