"""`asr-server report`: a stretch of time as one page, read from the journals of those who served in it. Knows no server and no audio."""
