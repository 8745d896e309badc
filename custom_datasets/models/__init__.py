"""Parts of networks that upstream lacks; importing a module registers them."""
