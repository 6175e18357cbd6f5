"""Writes what Chalice packages with: config, one policy per function, and the template merged over its own.

Chalice alone cannot ask for partial batch responses, redrive policies, tables or alarms; a deep merge over
its SAM output can. In that merge dictionaries merge and all else is replaced, so the ARN in a handler's
decorator is a mere placeholder that becomes `{"Fn::GetAtt": ...}` here (hence `queue_arn=`, not `queue=`,
which Chalice writes as a dictionary).
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

from tools.functions import FUNCTIONS, QUEUES, TABLES, Every, FromQueue, FromStreams, Function, Stage
from tools.names import APP, Json, arn_of, camel, dlq_id, function_id, queue_id, table_id
from tools.policies import policy
from tools.resources import (
    alarm_topic,
    bodies_bucket,
    called_alarm,
    dead_letters,
    late_stream_alarm,
    queue_with_dlq,
    table,
)


def write(folder: Path, stage: Stage) -> None:
    """Fills `folder` (a project's .chalice) with config.json, policy-<function>.json and resources.json."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"config.json": config(stage), "resources.json": merge_template(stage)}
    files |= {f"policy-{function.name}.json": policy(function, stage) for function in FUNCTIONS}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def config(stage: Stage) -> Json:
    functions = {
        function.name: {
            "iam_policy_file": f"policy-{function.name}.json",
            "lambda_memory_size": function.memory_mb,
            "lambda_timeout": stage.timeout_s(function),
        }
        for function in FUNCTIONS
    }
    settings = {
        "api_gateway_stage": "api",
        "api_gateway_endpoint_type": "REGIONAL",
        "autogen_policy": False,
        "lambda_architecture": architecture(stage),
        "lambda_functions": functions,
    }
    return {"version": "2.0", "app_name": APP, "stages": {stage.name: settings}}


def architecture(stage: Stage) -> str:
    """arm64 in AWS; in the local stage the functions run on this machine's own Python."""
    return "arm64" if not stage.is_local or platform.machine() in {"aarch64", "arm64"} else "x86_64"


def merge_template(stage: Stage) -> Json:
    resources: Json = {table_id(each.name): table(each, stage) for each in TABLES}
    resources |= bodies_bucket(stage) | alarm_topic(stage) | called_alarm(stage)
    for function in FUNCTIONS:
        resources |= _function(function, stage)
    variables = {
        "HEADRACE_STAGE": stage.name,
        "HEADRACE_QUEUE_URL": {"Ref": queue_id("entry")},
        "HEADRACE_BODIES_BUCKET": {"Ref": "BodiesBucket"},
    }
    outputs = {name: {"Value": {"Ref": name}} for name in (*map(queue_id, QUEUES), "BodiesBucket", "AlarmTopic")}
    return {
        "Description": f"Headrace, stage {stage.name}: the orders of many channels through one lifecycle.",
        "Globals": {"Function": {"Environment": {"Variables": variables}}},
        "Resources": resources,
        "Outputs": outputs,
    }


# Our own lines are JSON already; the START, END and REPORT lines of every invocation would be half of all log bytes.
_QUIET = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN"}


def _function(function: Function, stage: Stage) -> Json:
    """What Chalice's own function resource lacks: name, trigger settings, log group, queues."""
    name = f"{APP}-{stage.name}-{function.name}"
    identity = function_id(function)
    # Chalice's own log groups name a resource that does not exist when there are routes (aws/chalice#2079).
    logs = {"LogGroupName": f"/aws/lambda/{name}", "RetentionInDays": stage.log_days}
    found: Json = {
        identity: {"Properties": {"FunctionName": name, "Events": _events(function, stage), "LoggingConfig": _QUIET}},
        f"{identity}Logs": {"Type": "AWS::Logs::LogGroup", "Properties": logs},
    }
    if isinstance(function.trigger, FromQueue):
        found |= queue_with_dlq(function, function.trigger, stage)
    if isinstance(function.trigger, FromStreams):
        found |= dead_letters(function.name, stage) | late_stream_alarm(function)
    return found


def _events(function: Function, stage: Stage) -> Json:
    trigger = function.trigger
    prefix = camel(function.name)
    if isinstance(trigger, FromQueue):
        return {f"{prefix}SqsEventSource": {"Properties": _from_queue(trigger, stage)}}
    if isinstance(trigger, FromStreams):
        first, *others = trigger.tables
        added = {f"{prefix}{camel(other)}EventSource": _from_stream(function, trigger, other) for other in others}
        return {f"{prefix}DynamodbEventSource": _from_stream(function, trigger, first), **added}
    if isinstance(trigger, Every):
        minutes = min(trigger.minutes, stage.poll_minutes_cap)
        rate = f"rate({minutes} minute{'s' if minutes > 1 else ''})"
        return {f"{prefix}Event": {"Properties": {"Schedule": rate}}}
    return {}


def _from_queue(trigger: FromQueue, stage: Stage) -> Json:
    return {
        "Queue": arn_of(queue_id(trigger.queue)),
        "BatchSize": trigger.batch_size,
        "MaximumBatchingWindowInSeconds": trigger.window_s,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": min(trigger.max_concurrency, stage.concurrency_cap)},
    }


def _from_stream(function: Function, trigger: FromStreams, of_table: str) -> Json:
    dead_letter = {"Type": "SQS", "Destination": arn_of(dlq_id(function.name))}
    properties = {
        "Stream": arn_of(table_id(of_table), "StreamArn"),
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": trigger.batch_size,
        "MaximumBatchingWindowInSeconds": trigger.window_s,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        # A batch must begin where it began when it is tried again: splitting would move its start.
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": 1000,
        "MaximumRecordAgeInSeconds": 82_800,  # 23 h: the stream itself forgets after 24
        "DestinationConfig": {"OnFailure": dead_letter},
    }
    return {"Type": "DynamoDB", "Properties": properties}
