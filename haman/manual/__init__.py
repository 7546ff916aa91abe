"""The manual pages, haman(8) and haman.yaml(5), made from what the program itself says.

    roff      text and Markdown -> roff              verbs  the argparse parsers -> haman(8)
    settings  the configuration's reference -> haman.yaml(5)

They are not kept in a file: `python -m haman.manual FOLDER` writes them where `man` looks, from the haman that is
installed there, so they cannot be of another version.
"""
