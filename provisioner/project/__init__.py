"""The project file ``provisioner.yaml``: its values, how it is read, what of it is followed.

``search`` finds it; ``settings`` are the values; ``reading`` makes them from the file, and reads
the catalogue that it names; ``trust_gate`` holds them against the trust file, where there is one,
before anything is read or reached. Imports the reading of YAML and ``trust``, and no backend.
"""
