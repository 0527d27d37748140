const { App, Stack } = require('aws-cdk-lib');
const { RefreshPoller } = require('./refresh-poller.js');

const app = new App();
const stack = new Stack(app, 'refresh-poller');
new RefreshPoller(stack, 'Poller', {
  release: process.env.RELEASE ?? 'release',
  parameters: {
    ClusterEndpoint: 'https://in01-abc.aws-us-west-2.vectordb.zillizcloud.com:19530',
    ClusterTokenSecretArn: 'arn:aws:secretsmanager:us-west-2:123456789012:secret:refresh-poller/token-a1B2c3',
  },
});
