// The one translation unit whose precompiled header every other reuses.
