"""One IAM policy per function, from its line in tools/functions.py.

Chalice copies a policy file as it is, so resources can be named by `Fn::GetAtt` and never need a star.
"""

from __future__ import annotations

from tools.functions import FromQueue, FromStreams, Function, Stage
from tools.names import APP, Json, arn_of, dlq_id, function_id, queue_id, table_id
from tools.permissions import May


def policy(function: Function, stage: Stage) -> Json:
    statements = [
        *(_allow_one(may, stage) for may in function.may),
        *_allow_trigger(function),
        _allow("logs", ("CreateLogStream", "PutLogEvents"), arn_of(f"{function_id(function)}Logs")),
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(service: str, actions: tuple[str, ...], resource: Json) -> Json:
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": [resource],
    }


def _allow_one(may: May, stage: Stage) -> Json:
    service = "dynamodb" if may.on == "index" else may.on
    statement = _allow(service, may.actions, _resource(may, stage))
    if may.only:
        statement["Condition"] = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": list(may.only)}}
    return statement


def _resource(may: May, stage: Stage) -> Json:
    match may.on:
        case "dynamodb":
            return arn_of(table_id(may.name))
        case "index":
            table, index = may.name.split("/")
            return {"Fn::Sub": f"${{{table_id(table)}.Arn}}/index/{index}"}
        case "sqs":
            return arn_of(queue_id(may.name))
        case "s3":
            prefix = "" if may.name == "bodies" else f"{may.name}/"
            return {"Fn::Sub": f"${{BodiesBucket.Arn}}/{prefix}*"}
        case "ssm":
            path = f"parameter/{APP}/{stage.name}/{may.name}"
            return {"Fn::Sub": f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:{path}"}


def _allow_trigger(function: Function) -> list[Json]:
    """What the event source mapping does in the function's name."""
    trigger = function.trigger
    if isinstance(trigger, FromQueue):
        receiving = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
        return [_allow("sqs", receiving, arn_of(queue_id(trigger.queue)))]
    if isinstance(trigger, FromStreams):
        reading = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
        streams = [arn_of(table_id(table), "StreamArn") for table in trigger.tables]
        return [
            *(_allow("dynamodb", reading, stream) for stream in streams),
            _allow("sqs", ("SendMessage",), arn_of(dlq_id(function.name))),
        ]
    return []
