"""What a trust file lists: addresses, paths and options that a project file may name.

``project.trust_gate`` holds a project file against it. Imports the reading of YAML.
"""
