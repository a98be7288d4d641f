"""`asr-server profile`: reference profiles, made of recordings and merged; what they tell. Through a server, as any client."""
