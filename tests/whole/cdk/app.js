// A function and a state machine that calls it, as the CDK makes them by default. The memory size is the context's.
const { App, CfnOutput, Stack } = require('aws-cdk-lib');
const { Code, Function: LambdaFunction, Runtime } = require('aws-cdk-lib/aws-lambda');
const { DefinitionBody, StateMachine } = require('aws-cdk-lib/aws-stepfunctions');
const { LambdaInvoke } = require('aws-cdk-lib/aws-stepfunctions-tasks');

const app = new App();
const stack = new Stack(app, 'Shop', { env: { account: '000000000000', region: process.env.AWS_REGION } });
const orders = new LambdaFunction(stack, 'Orders', {
  runtime: Runtime.NODEJS_22_X,
  handler: 'index.handler',
  code: Code.fromAsset('orders'),
  memorySize: Number(app.node.tryGetContext('memory')),
});
const machine = new StateMachine(stack, 'Machine', {
  definitionBody: DefinitionBody.fromChainable(new LambdaInvoke(stack, 'Ask', { lambdaFunction: orders })),
});
new CfnOutput(stack, 'Name', { value: orders.functionName });
new CfnOutput(stack, 'MachineArn', { value: machine.stateMachineArn });
