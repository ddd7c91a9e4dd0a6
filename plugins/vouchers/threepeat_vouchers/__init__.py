"""Vouchers: templates, batches of bearer codes, members' wallets, a price rule and a kind of reward."""
