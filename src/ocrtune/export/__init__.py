"""Files for other engines, each through the parity gate."""
