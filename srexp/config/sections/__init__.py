"""The typed sections of a configuration, whose keys pydantic checks: what all verbs are asked, and what each adds.

What reads, composes and describes them lies above; the keys of a choice that is built are its builder's signature.
"""
