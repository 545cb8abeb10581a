"""`spec.volumes`: file systems that outlive tasks.

`mlopsgen local` keeps a folder for each volume and mounts it where the container would see it.
"""
