"""Everything that speaks to object storage: S3 and what speaks like it, and files."""

from retention_worker.objects.address import Address, address_of
from retention_worker.objects.files import FileStore
from retention_worker.objects.object_store import Deleted, ObjectStore
from retention_worker.objects.object_stores import ObjectStores

__all__ = ["Address", "Deleted", "FileStore", "ObjectStore", "ObjectStores", "address_of"]
