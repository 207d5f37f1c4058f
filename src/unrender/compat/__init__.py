"""Other projects' interfaces over unrender's own operations; nothing in unrender imports this folder."""
