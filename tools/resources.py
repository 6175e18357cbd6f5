"""Tables, queues, the bucket and the alarms, as CloudFormation resources."""

from __future__ import annotations

from tools.functions import FromQueue, Function, Stage, Table
from tools.names import APP, Json, arn_of, camel, dlq_id, function_id, queue_id

MAX_RECEIVES = 5
TWO_WEEKS_S = 1_209_600

KEPT_DAYS = {"claims": 30, "held": 30, "labels": 90}
"""How long the bucket keeps bodies, by the first word of their key. What has another first word is kept for ever."""

AMAZON_NOTIFIER_ACCOUNT = "437568002678"
"""The AWS account that delivers SP-API notifications.
Source: SP-API documentation, "Set up notifications with Amazon SQS"."""


def table(table: Table, stage: Stage) -> Json:
    keys = ["pk", "sk"] + [f"{index}_{part}" for index in table.indexes for part in ("pk", "sk")]
    properties: Json = {
        "TableName": f"{APP}-{stage.name}-{table.name}",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
        "KeySchema": _keys("pk", "sk"),
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": stage.keeps_data},
        "DeletionProtectionEnabled": stage.keeps_data,
    }
    if table.has_stream:
        properties["StreamSpecification"] = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    if table.expires_by:
        properties["TimeToLiveSpecification"] = {"AttributeName": table.expires_by, "Enabled": True}
    if table.indexes:
        properties["GlobalSecondaryIndexes"] = [_index(name, kept) for name, kept in table.indexes.items()]
    return {"Type": "AWS::DynamoDB::Table", **_on_removal(stage), "Properties": properties}


def _index(name: str, kept: tuple[str, ...]) -> Json:
    projection: Json = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(kept)}
    return {
        "IndexName": name,
        "KeySchema": _keys(f"{name}_pk", f"{name}_sk"),
        "Projection": projection if kept else {"ProjectionType": "KEYS_ONLY"},
    }


def _keys(partition: str, sort: str) -> list[Json]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _on_removal(stage: Stage) -> Json:
    policy = "Retain" if stage.keeps_data else "Delete"
    return {"DeletionPolicy": policy, "UpdateReplacePolicy": policy}


def queue_with_dlq(function: Function, trigger: FromQueue, stage: Stage) -> Json:
    name = trigger.queue
    properties = {
        "QueueName": f"{APP}-{stage.name}-{name}",
        # AWS asks for six times the function's timeout, so that a throttled mapping burns no receives.
        "VisibilityTimeout": 6 * stage.timeout_s(function) + trigger.window_s,
        "MessageRetentionPeriod": TWO_WEEKS_S,
        "SqsManagedSseEnabled": True,
        "RedrivePolicy": {"deadLetterTargetArn": arn_of(dlq_id(name)), "maxReceiveCount": MAX_RECEIVES},
    }
    found = {queue_id(name): {"Type": "AWS::SQS::Queue", "Properties": properties}}
    return found | _queue_policy(queue_id(name), _senders(name), stage) | dead_letters(name, stage)


def dead_letters(owner: str, stage: Stage) -> Json:
    """The queue of what could not be done, and the alarm that calls a person to it."""
    properties = {
        "QueueName": f"{APP}-{stage.name}-{owner}-dlq",
        "MessageRetentionPeriod": TWO_WEEKS_S,
        "SqsManagedSseEnabled": True,
    }
    alarm = _alarm(
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        {"Name": "QueueName", "Value": arn_of(dlq_id(owner), "QueueName")},
        threshold=0,
        why=f"Work of {owner} failed too often: an order or a listing waits for a person.",
    )
    found = {
        dlq_id(owner): {"Type": "AWS::SQS::Queue", "Properties": properties},
        f"{dlq_id(owner)}Alarm": alarm,
    }
    return found | _queue_policy(dlq_id(owner), [], stage)


def _senders(queue: str) -> list[Json]:
    """Who outside our own roles may send: only Amazon, to its own queue."""
    if queue != "amazon-notifications":
        return []
    return [
        {
            "Effect": "Allow",
            "Principal": {"AWS": AMAZON_NOTIFIER_ACCOUNT},
            "Action": ["sqs:SendMessage", "sqs:GetQueueAttributes"],
            "Resource": arn_of(queue_id(queue)),
        }
    ]


def _queue_policy(queue: str, statements: list[Json], stage: Stage) -> Json:
    if stage.is_local:
        return {}
    document = _document(statements, "sqs", [arn_of(queue)])
    properties = {"Queues": [{"Ref": queue}], "PolicyDocument": document}
    return {f"{queue}Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": properties}}


def _document(statements: list[Json], service: str, targets: list[Json]) -> Json:
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": f"{service}:*",
        "Resource": targets,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [*statements, tls_only]}


def bodies_bucket(stage: Stage) -> Json:
    """Claim check for bodies larger than a queue message, raw payloads of held orders, and labels, which are printed
    again as long as a parcel may be lost. A rule names its prefix, since the shortest that fits an object decides."""
    encryption = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    rules = [
        {
            "Id": f"forget-{prefix}",
            "Status": "Enabled",
            "Prefix": f"{prefix}/",
            "ExpirationInDays": days,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
        for prefix, days in KEPT_DAYS.items()
    ]
    closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    properties = {
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
        "PublicAccessBlockConfiguration": dict.fromkeys(closed, True),
        "LifecycleConfiguration": {"Rules": rules},
    }
    found = {
        "BodiesBucket": {"Type": "AWS::S3::Bucket", **_on_removal(stage), "Properties": properties},
    }
    if stage.is_local:
        return found
    document = _document([], "s3", [arn_of("BodiesBucket"), {"Fn::Sub": "${BodiesBucket.Arn}/*"}])
    policy = {"Bucket": {"Ref": "BodiesBucket"}, "PolicyDocument": document}
    return found | {"BodiesBucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": policy}}


def alarm_topic(stage: Stage) -> Json:
    """Whoever is on call subscribes to this topic."""
    return {"AlarmTopic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{APP}-{stage.name}-alarms"}}}


def called_alarm(stage: Stage) -> Json:
    """What the code itself calls a person for: an account paused, orders missing, a measure beyond its limit."""
    alarm = _alarm(
        "Headrace",
        "Alarms",
        {"Name": "Stage", "Value": stage.name},
        threshold=0,
        why="A log line with Alarms=1 says what: an account paused, orders missing, a measure beyond its limit.",
    )
    return {"CalledAlarm": alarm}


def late_stream_alarm(function: Function) -> Json:
    alarm = _alarm(
        "AWS/Lambda",
        "IteratorAge",
        {"Name": "FunctionName", "Value": {"Ref": function_id(function)}},
        threshold=300_000,
        why="Committed changes have waited over five minutes for their next stage.",
    )
    return {f"{camel(function.name)}LateAlarm": alarm}


def _alarm(namespace: str, metric: str, dimension: Json, *, threshold: int, why: str) -> Json:
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": why,
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [dimension],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [{"Ref": "AlarmTopic"}],
        },
    }
