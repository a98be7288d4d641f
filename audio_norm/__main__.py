"""`python -m audio_norm`."""

from audio_norm.cli import main

if __name__ == "__main__":
    main()
