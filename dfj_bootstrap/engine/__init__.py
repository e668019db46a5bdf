"""The work on partitions in one asyncio process: the worker, and the engine that feeds it."""
