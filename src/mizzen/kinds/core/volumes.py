"""The schema of volumes. Source: core/v1 types.go.

Volume types that embedded Mizzen cannot mount are known all the same, so that a manifest made for
a cluster gets a clear answer from the node agent instead of an unknown field.
"""

from __future__ import annotations

from mizzen.kinds.core.references import (
    LOCAL_OBJECT_REFERENCE,
    OBJECT_FIELD_SELECTOR,
    RESOURCE_FIELD_SELECTOR,
    TYPED_LOCAL_REFERENCE,
)
from mizzen.kinds.meta import LABEL_SELECTOR, OBJECT_META
from mizzen.kinds.schema import (
    BOOL,
    INT32,
    INT64,
    QUANTITIES,
    QUANTITY,
    STR,
    STRING_MAP,
    STRINGS,
    Schema,
    array,
    choice,
    package,
)
from mizzen.kinds.treatment import acted, refused_by_node, warned

v1 = package("io.k8s.api.core.v1")

MODE = INT32("Permission bits, 0 to 0777 (octal).", minimum=0, maximum=0o777)
KEY_TO_PATH = v1(
    "KeyToPath",
    "A key and the file it becomes.",
    key=STR("The key.", required=True, default=""),
    path=STR("The file, relative to the volume.", required=True, default=""),
    mode=MODE(),
)
ITEMS = array(KEY_TO_PATH)("Keys to show; all by default.")
OPTIONAL = BOOL("Whether it may be missing.")


def _plain(
    name: str, text: str, *, ints: str = "", bools: str = "", lists: str = "", **more: Schema
) -> Schema:
    """A record of plain fields, named in one line; a `!` marks required ones."""
    fields: dict[str, Schema] = {}
    for names, kind in ((text, STR), (ints, INT32), (bools, BOOL), (lists, STRINGS)):
        for word in names.split():
            fields[word.rstrip("!")] = kind(required=word.endswith("!"))
    return v1(
        name, "A volume of a storage system; embedded Mizzen cannot mount it.", **fields, **more
    )


_SECRET = LOCAL_OBJECT_REFERENCE("Secret with the credentials.")

DOWNWARD_FILE = v1(
    "DownwardAPIVolumeFile",
    "A file with a field of the pod.",
    path=STR("The file, relative to the volume.", required=True),
    fieldRef=OBJECT_FIELD_SELECTOR(),
    resourceFieldRef=RESOURCE_FIELD_SELECTOR(),
    mode=MODE(),
)
PROJECTION = v1(
    "VolumeProjection",
    "One source of a projected volume.",
    configMap=v1(
        "ConfigMapProjection", "A ConfigMap.", name=STR(), items=ITEMS(), optional=OPTIONAL()
    ),
    secret=v1("SecretProjection", "A Secret.", name=STR(), items=ITEMS(), optional=OPTIONAL()),
    downwardAPI=v1("DownwardAPIProjection", "Fields of the pod.", items=array(DOWNWARD_FILE)()),
    serviceAccountToken=v1(
        "ServiceAccountTokenProjection",
        "A token of the pod's service account.",
        path=STR("The file.", required=True),
        audience=STR("Who shall accept it."),
        expirationSeconds=INT64("Its life in seconds.", default=3600),
    ),
    clusterTrustBundle=v1(
        "ClusterTrustBundleProjection",
        "Trusted certificates.",
        name=STR(),
        signerName=STR(),
        labelSelector=LABEL_SELECTOR(),
        optional=OPTIONAL(),
        path=STR(required=True),
    ),
    podCertificate=v1(
        "PodCertificateProjection",
        "A certificate for the pod.",
        signerName=STR(required=True),
        keyType=STR(required=True),
        maxExpirationSeconds=INT32(),
        credentialBundlePath=STR(),
        keyPath=STR(),
        certificateChainPath=STR(),
        userAnnotations=STRING_MAP(),
    ),
)
CLAIM_SPEC = v1(
    "PersistentVolumeClaimSpec",
    "A wish for storage.",
    accessModes=STRINGS("ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod."),
    selector=LABEL_SELECTOR(),
    resources=v1("VolumeResourceRequirements", "Size.", limits=QUANTITIES(), requests=QUANTITIES()),
    volumeName=STR(),
    storageClassName=STR(),
    volumeMode=STR(),
    volumeAttributesClassName=STR(),
    dataSource=TYPED_LOCAL_REFERENCE(),
    dataSourceRef=v1(
        "TypedObjectReference",
        "Names an object of any kind.",
        apiGroup=STR(),
        kind=STR(required=True),
        name=STR(required=True),
        namespace=STR(),
    ),
)

VOLUME = v1(
    "Volume",
    "Files that containers of the pod may mount; one source.",
    name=STR("Unique in the pod; a DNS label.", required=True),
    configMap=v1(
        "ConfigMapVolumeSource",
        "The keys of a ConfigMap as files.",
        name=STR("The ConfigMap."),
        items=ITEMS(),
        defaultMode=MODE(default=0o644),
        optional=OPTIONAL(),
    ),
    secret=v1(
        "SecretVolumeSource",
        "The keys of a Secret as files.",
        secretName=STR("The Secret."),
        items=ITEMS(),
        defaultMode=MODE(default=0o644),
        optional=OPTIONAL(),
    ),
    emptyDir=v1(
        "EmptyDirVolumeSource",
        "An empty directory that lives as long as the pod.",
        medium=choice("", "Memory", "HugePages")("Memory: in RAM."),
        sizeLimit=QUANTITY("The most it may hold."),
    ),
    hostPath=v1(
        "HostPathVolumeSource",
        "A path of the node.",
        path=STR("The path.", required=True),
        type=STR("What must be there: Directory, File, ...", default=""),
    ),
    downwardAPI=v1(
        "DownwardAPIVolumeSource",
        "Fields of the pod as files.",
        items=array(DOWNWARD_FILE)("The files."),
        defaultMode=MODE(default=0o644),
    ),
    projected=v1(
        "ProjectedVolumeSource",
        "Several sources in one directory.",
        sources=array(PROJECTION)("The sources."),
        defaultMode=MODE(default=0o644),
    ),
    image=v1(
        "ImageVolumeSource",
        "The files of an image.",
        reference=STR("The image."),
        pullPolicy=choice("Always", "IfNotPresent", "Never")("When it is fetched."),
    ),
    persistentVolumeClaim=v1(
        "PersistentVolumeClaimVolumeSource",
        "Storage claimed elsewhere.",
        claimName=STR("The claim.", required=True, default=""),
        readOnly=BOOL(),
    ),
    ephemeral=v1(
        "EphemeralVolumeSource",
        "Storage claimed for this pod.",
        volumeClaimTemplate=v1(
            "PersistentVolumeClaimTemplate",
            "The claim.",
            metadata=OBJECT_META(),
            spec=CLAIM_SPEC(required=True),
        ),
    ),
    nfs=_plain("NFSVolumeSource", "server! path!", bools="readOnly"),
    csi=_plain(
        "CSIVolumeSource", "driver! fsType", bools="readOnly",
        nodePublishSecretRef=_SECRET(), volumeAttributes=STRING_MAP(),
    ),
    awsElasticBlockStore=_plain(
        "AWSElasticBlockStoreVolumeSource", "volumeID! fsType", ints="partition", bools="readOnly"
    ),
    azureDisk=_plain(
        "AzureDiskVolumeSource", "diskName! diskURI! cachingMode fsType kind", bools="readOnly"
    ),
    azureFile=_plain("AzureFileVolumeSource", "secretName! shareName!", bools="readOnly"),
    cephfs=_plain(
        "CephFSVolumeSource", "path user secretFile", bools="readOnly", lists="monitors!",
        secretRef=_SECRET(),
    ),
    cinder=_plain("CinderVolumeSource", "volumeID! fsType", bools="readOnly", secretRef=_SECRET()),
    fc=_plain("FCVolumeSource", "fsType", ints="lun", bools="readOnly", lists="targetWWNs wwids"),
    flexVolume=_plain(
        "FlexVolumeSource", "driver! fsType", bools="readOnly", secretRef=_SECRET(),
        options=STRING_MAP(),
    ),
    flocker=_plain("FlockerVolumeSource", "datasetName datasetUUID"),
    gcePersistentDisk=_plain(
        "GCEPersistentDiskVolumeSource", "pdName! fsType", ints="partition", bools="readOnly"
    ),
    gitRepo=_plain("GitRepoVolumeSource", "repository! revision directory"),
    glusterfs=_plain("GlusterfsVolumeSource", "endpoints! path!", bools="readOnly"),
    iscsi=_plain(
        "ISCSIVolumeSource", "targetPortal! iqn! iscsiInterface fsType initiatorName",
        ints="lun!", bools="readOnly chapAuthDiscovery chapAuthSession", lists="portals",
        secretRef=_SECRET(),
    ),
    photonPersistentDisk=_plain("PhotonPersistentDiskVolumeSource", "pdID! fsType"),
    portworxVolume=_plain("PortworxVolumeSource", "volumeID! fsType", bools="readOnly"),
    quobyte=_plain(
        "QuobyteVolumeSource", "registry! volume! user group tenant", bools="readOnly"
    ),
    rbd=_plain(
        "RBDVolumeSource", "image! fsType pool user keyring", bools="readOnly", lists="monitors!",
        secretRef=_SECRET(),
    ),
    scaleIO=_plain(
        "ScaleIOVolumeSource",
        "gateway! system! protectionDomain storagePool storageMode volumeName fsType",
        bools="readOnly sslEnabled",
        secretRef=_SECRET(required=True),
    ),
    storageos=_plain(
        "StorageOSVolumeSource", "volumeName volumeNamespace fsType", bools="readOnly",
        secretRef=_SECRET(),
    ),
    vsphereVolume=_plain(
        "VsphereVirtualDiskVolumeSource", "volumePath! fsType storagePolicyName storagePolicyID"
    ),
)  # fmt: skip
# In the order in which they are looked at. Source: core/validation `validateVolumeSource`.
SOURCES = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs",
    "iscsi", "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte",
    "downwardAPI", "fc", "flexVolume", "configMap", "azureFile", "vsphereVolume",
    "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos", "projected", "scaleIO", "csi",
    "ephemeral", "image",
)  # fmt: skip
assert set(SOURCES) == VOLUME.fields.keys() - {"name"}

_MODES = (
    "files of a ConfigMap and the pod's fields are readable by all (0444), of a Secret and tokens "
    "by their owner alone (0400)"
)
_VOLUME_TYPES = (
    "image persistentVolumeClaim ephemeral nfs csi awsElasticBlockStore "
    "azureDisk azureFile cephfs cinder fc flexVolume flocker gcePersistentDisk gitRepo glusterfs "
    "iscsi photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
)
SERVED_FIELDS = {
    "core.v1.Volume": {
        **acted("node", "name configMap secret emptyDir hostPath downwardAPI projected"),
        **refused_by_node(
            _VOLUME_TYPES,
            "volumes are emptyDir, hostPath, configMap, secret, downwardAPI and projected",
        ),
    },
    "core.v1.DownwardAPIVolumeSource": {
        **acted("node", "items"), **warned("defaultMode", _MODES, 0o644, 0o444),
    },
    "core.v1.DownwardAPIVolumeFile": {
        **acted("node", "path fieldRef resourceFieldRef"), **warned("mode", _MODES, 0o444),
    },
    "core.v1.ProjectedVolumeSource": {
        **acted("node", "sources"), **warned("defaultMode", _MODES, 0o644, 0o444, 0o400),
    },
    "core.v1.VolumeProjection": {
        **acted("node", "configMap secret downwardAPI serviceAccountToken"),
        **refused_by_node(
            "clusterTrustBundle podCertificate",
            "projected are configMap, secret, downwardAPI and serviceAccountToken",
        ),
    },
    "core.v1.ConfigMapProjection": acted("node", "name items optional"),
    "core.v1.SecretProjection": acted("node", "name items optional"),
    "core.v1.DownwardAPIProjection": acted("node", "items"),
    "core.v1.ServiceAccountTokenProjection": acted("node", "path audience expirationSeconds"),
    "core.v1.ConfigMapVolumeSource": {
        **acted("node", "name items optional"), **warned("defaultMode", _MODES, 0o644, 0o444),
    },
    "core.v1.SecretVolumeSource": {
        **acted("node", "secretName items optional"),
        **warned("defaultMode", _MODES, 0o644, 0o400, 0o600),
    },
    "core.v1.KeyToPath": {**acted("node", "key path"), **warned("mode", _MODES, 0o444, 0o400)},
    "core.v1.EmptyDirVolumeSource": {
        **warned("medium", "the folder lies on the disk of the instance's state"),
        **warned("sizeLimit", "the folder may grow as long as the disk has room"),
    },
    "core.v1.HostPathVolumeSource": {
        **acted("node", "path"),
        **warned("type", "the path must exist, of whatever type; nothing is created"),
    },
}  # fmt: skip
