// The pipeline of ../../../pipeline.yaml as a CDK user would write it: the same two environments and stacks.
const cdk = require("aws-cdk-lib");
const {
  aws_applicationautoscaling: scaling, aws_autoscaling: autoscaling, aws_cloudwatch: cloudwatch,
  aws_cloudwatch_actions: actions, aws_ec2: ec2, aws_ecr: ecr, aws_ecs: ecs, aws_elasticloadbalancingv2: elb,
  aws_events: events, aws_events_targets: targets, aws_iam: iam, aws_kms: kms, aws_logs: logs, aws_s3: s3,
  aws_scheduler: scheduler, aws_sns: sns, aws_sns_subscriptions: subscriptions, aws_sqs: sqs,
} = cdk;

const NAME = "imdb-sentiment";
const REPOSITORY = "example/imdb-sentiment";
const { Duration } = cdk;

class Foundation extends cdk.Stack {
  constructor(scope, id, { prefix, ...props }) {
    super(scope, id, props);
    this.key = new kms.Key(this, "Key", { alias: prefix, enableKeyRotation: true });
    this.logBucket = new s3.Bucket(this, "LogBucket", {
      encryption: s3.BucketEncryption.S3_MANAGED, enforceSSL: true, versioned: true,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL, objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ expiration: Duration.days(365) }], removalPolicy: cdk.RemovalPolicy.RETAIN,
    });
    this.data = new s3.Bucket(this, "DataBucket", {
      bucketName: `${prefix}-data-${this.account}`, encryption: s3.BucketEncryption.KMS, encryptionKey: this.key,
      bucketKeyEnabled: true, enforceSSL: true, versioned: true, blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED, removalPolicy: cdk.RemovalPolicy.RETAIN,
      serverAccessLogsBucket: this.logBucket, serverAccessLogsPrefix: "s3/",
      lifecycleRules: [
        {
          prefix: "raw/", transitions: [
            { storageClass: s3.StorageClass.INFREQUENT_ACCESS, transitionAfter: Duration.days(90) },
            { storageClass: s3.StorageClass.GLACIER_INSTANT_RETRIEVAL, transitionAfter: Duration.days(365) },
          ],
        },
        { prefix: "processed/", expiration: Duration.days(180) },
        { prefix: "logs/", expiration: Duration.days(90) },
        { noncurrentVersionExpiration: Duration.days(30), abortIncompleteMultipartUploadAfter: Duration.days(7) },
      ],
    });
    this.topic = new sns.Topic(this, "Topic", { masterKey: this.key });
    this.topic.addSubscription(new subscriptions.EmailSubscription("ops@example.com"));
    this.key.grantEncryptDecrypt(new iam.ServicePrincipal("cloudwatch.amazonaws.com"));
  }
}

class Access extends cdk.Stack {
  constructor(scope, id, { prefix, environment, ...props }) {
    super(scope, id, props);
    const provider = `arn:aws:iam::${this.account}:oidc-provider/token.actions.githubusercontent.com`;
    const role = new iam.Role(this, "Delivery", {
      roleName: `${prefix}-delivery`,
      assumedBy: new iam.WebIdentityPrincipal(provider, {
        StringEquals: {
          "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
          "token.actions.githubusercontent.com:sub": `repo:${REPOSITORY}:environment:${environment}`,
        },
      }),
    });
    role.addToPolicy(new iam.PolicyStatement({ actions: ["ecr:GetAuthorizationToken"], resources: ["*"] }));
    role.addToPolicy(new iam.PolicyStatement({
      actions: ["ecr:PutImage", "ecr:UploadLayerPart", "ecr:InitiateLayerUpload", "ecr:CompleteLayerUpload",
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage"],
      resources: [`arn:aws:ecr:${this.region}:${this.account}:repository/${prefix}/*`],
    }));
    role.addToPolicy(new iam.PolicyStatement({
      actions: ["cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet", "cloudformation:Describe*"],
      resources: [`arn:aws:cloudformation:${this.region}:${this.account}:stack/${prefix}-*`],
    }));
  }
}

class Network extends cdk.Stack {
  constructor(scope, id, { nat, ...props }) {
    super(scope, id, props);
    this.vpc = new ec2.Vpc(this, "Vpc", {
      ipAddresses: ec2.IpAddresses.cidr("10.20.0.0/16"), maxAzs: 2, natGateways: nat,
      gatewayEndpoints: { S3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
      flowLogs: { all: { trafficType: ec2.FlowLogTrafficType.REJECT } },
    });
  }
}

class Registry extends cdk.Stack {
  constructor(scope, id, { prefix, ...props }) {
    super(scope, id, props);
    const repository = (name) => new ecr.Repository(this, name, {
      repositoryName: `${prefix}/${name}`, imageScanOnPush: true, imageTagMutability: ecr.TagMutability.IMMUTABLE,
      lifecycleRules: [{ maxImageCount: 10 }], removalPolicy: cdk.RemovalPolicy.RETAIN,
    });
    this.trainer = repository("sentiment-trainer");
    this.api = repository("sentiment-api");
  }
}

function grant(role, bucket, reads, writes) {
  for (const prefix of reads) bucket.grantRead(role, `${prefix}/*`);
  for (const prefix of writes) bucket.grantWrite(role, `${prefix}/*`);
}

class Cluster extends cdk.Stack {
  constructor(scope, id, { prefix, network, ...props }) {
    super(scope, id, props);
    const { vpc } = network;
    this.cluster = new ecs.Cluster(this, "Cluster", {
      vpc, clusterName: prefix, containerInsightsV2: ecs.ContainerInsights.ENABLED,
    });
    const template = new ec2.LaunchTemplate(this, "Template", {
      instanceType: new ec2.InstanceType("g4dn.xlarge"), requireImdsv2: true,
      machineImage: ecs.EcsOptimizedImage.amazonLinux2023(ecs.AmiHardwareType.GPU),
      userData: ec2.UserData.forLinux(), spotOptions: {},
      securityGroup: new ec2.SecurityGroup(this, "InstanceGroup", { vpc }),
      role: new iam.Role(this, "InstanceRole", { assumedBy: new iam.ServicePrincipal("ec2.amazonaws.com") }),
      blockDevices: [{ deviceName: "/dev/xvda", volume: ec2.BlockDeviceVolume.ebs(100, { encrypted: true }) }],
    });
    const group = new autoscaling.AutoScalingGroup(this, "Group", {
      vpc, launchTemplate: template, minCapacity: 0, maxCapacity: 1,
    });
    this.provider = new ecs.AsgCapacityProvider(this, "Provider", {
      autoScalingGroup: group, enableManagedScaling: true, enableManagedDraining: true, targetCapacityPercent: 100,
    });
    this.cluster.addAsgCapacityProvider(this.provider);
  }
}

class Training extends cdk.Stack {
  constructor(scope, id, { prefix, foundation, network, registry, capacity, ...props }) {
    super(scope, id, props);
    const { vpc } = network;
    const { cluster, provider } = capacity;
    const task = new ecs.Ec2TaskDefinition(this, "Task", {
      family: `${prefix}-sentiment-trainer`, networkMode: ecs.NetworkMode.AWS_VPC,
    });
    const parameters = new ecs.LinuxParameters(this, "Linux", { initProcessEnabled: true });
    parameters.dropCapabilities(ecs.Capability.ALL);
    task.addContainer("sentiment-trainer", {
      image: ecs.ContainerImage.fromEcrRepository(registry.trainer), cpu: 4096, memoryLimitMiB: 14336, gpuCount: 1,
      user: "10001", readonlyRootFilesystem: true, stopTimeout: Duration.seconds(120), linuxParameters: parameters,
      environment: {
        PARAMETERS: JSON.stringify({ architecture: "lstm", epochs: 3, batchSize: 64 }),
        MODEL_URI: `s3://${foundation.data.bucketName}/models/sentiment/`, MODEL_NAME: "sentiment",
      },
      logging: ecs.LogDrivers.awsLogs({
        streamPrefix: "trainer", mode: ecs.AwsLogDriverMode.NON_BLOCKING,
        logGroup: new logs.LogGroup(this, "Logs", { retention: logs.RetentionDays.ONE_MONTH }),
      }),
    });
    grant(task.taskRole, foundation.data, ["raw", "processed"], ["processed", "logs", "models/sentiment"]);
    const letters = new sqs.Queue(this, "DeadLetters", { encryption: sqs.QueueEncryption.KMS, encryptionMasterKey: foundation.key });
    const role = new iam.Role(this, "ScheduleRole", { assumedBy: new iam.ServicePrincipal("scheduler.amazonaws.com") });
    role.addToPolicy(new iam.PolicyStatement({ actions: ["ecs:RunTask"], resources: [task.taskDefinitionArn] }));
    task.taskRole.grantPassRole(role);
    task.obtainExecutionRole().grantPassRole(role);
    new scheduler.CfnSchedule(this, "Schedule", {
      flexibleTimeWindow: { mode: "OFF" }, scheduleExpression: "cron(0 3 ? * SUN *)",
      scheduleExpressionTimezone: "Asia/Ho_Chi_Minh",
      target: {
        arn: cluster.clusterArn, roleArn: role.roleArn, deadLetterConfig: { arn: letters.queueArn },
        retryPolicy: { maximumRetryAttempts: 2 },
        ecsParameters: {
          taskDefinitionArn: task.taskDefinitionArn,
          capacityProviderStrategy: [{ capacityProvider: provider.capacityProviderName, weight: 1 }],
          networkConfiguration: { awsvpcConfiguration: { subnets: vpc.privateSubnets.map((each) => each.subnetId) } },
        },
      },
    });
    for (const attempt of [1, 2]) {
      new events.Rule(this, `Retry${attempt}`, {
        eventPattern: {
          source: ["aws.ecs"], detailType: ["ECS Task State Change"],
          detail: { clusterArn: [cluster.clusterArn], lastStatus: ["STOPPED"], stopCode: ["SpotInterruption"] },
        },
        targets: [new targets.EcsTask({ cluster, taskDefinition: task, subnetSelection: { subnets: vpc.privateSubnets } })],
      });
    }
    const failed = new cloudwatch.Alarm(this, "Failed", {
      metric: new cloudwatch.Metric({ namespace: "AWS/Scheduler", metricName: "TargetErrorCount" }),
      threshold: 1, evaluationPeriods: 1,
    });
    failed.addAlarmAction(new actions.SnsAction(foundation.topic));
  }
}

class Serving extends cdk.Stack {
  constructor(scope, id, { prefix, foundation, network, registry, capacity, min, max, ...props }) {
    super(scope, id, props);
    const { vpc } = network;
    const { cluster } = capacity;
    const task = new ecs.FargateTaskDefinition(this, "Task", { family: `${prefix}-sentiment-api`, cpu: 1024, memoryLimitMiB: 2048 });
    const parameters = new ecs.LinuxParameters(this, "Linux", { initProcessEnabled: true });
    parameters.dropCapabilities(ecs.Capability.ALL);
    task.addContainer("sentiment-api", {
      image: ecs.ContainerImage.fromEcrRepository(registry.api), user: "10001", readonlyRootFilesystem: true,
      stopTimeout: Duration.seconds(30), linuxParameters: parameters, portMappings: [{ containerPort: 8080 }],
      environment: { MODEL_URI: `s3://${foundation.data.bucketName}/models/sentiment/`, MODEL_NAME: "sentiment", PORT: "8080" },
      healthCheck: { command: ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/ready')"] },
      logging: ecs.LogDrivers.awsLogs({
        streamPrefix: "api", mode: ecs.AwsLogDriverMode.NON_BLOCKING,
        logGroup: new logs.LogGroup(this, "Logs", { retention: logs.RetentionDays.ONE_MONTH }),
      }),
    });
    grant(task.taskRole, foundation.data, ["models/sentiment"], []);
    const balancer = new elb.ApplicationLoadBalancer(this, "Balancer", { vpc, internetFacing: true, dropInvalidHeaderFields: true });
    const service = new ecs.FargateService(this, "Service", {
      cluster, taskDefinition: task, serviceName: "sentiment-api", circuitBreaker: { rollback: true },
      healthCheckGracePeriod: Duration.seconds(60), minHealthyPercent: 100, maxHealthyPercent: 200,
    });
    const group = balancer.addListener("Http", { port: 80 }).addTargets("Target", {
      port: 8080, protocol: elb.ApplicationProtocol.HTTP, targets: [service],
      healthCheck: { path: "/ready", interval: Duration.seconds(15), timeout: Duration.seconds(5) },
    });
    service.autoScaleTaskCount({ minCapacity: min, maxCapacity: max }).scaleOnCpuUtilization("Cpu", { targetUtilizationPercent: 70 });
    const alarm = (name, metric, threshold) => {
      const made = new cloudwatch.Alarm(this, name, { metric, threshold, evaluationPeriods: 3 });
      made.addAlarmAction(new actions.SnsAction(foundation.topic));
      return made;
    };
    const requests = group.metrics.requestCount();
    const errors = group.metrics.httpCodeTarget(elb.HttpCodeTarget.TARGET_5XX_COUNT);
    const latency = group.metrics.targetResponseTime({ statistic: "p99" });
    alarm("Cpu", service.metricCpuUtilization(), 80);
    alarm("Memory", service.metricMemoryUtilization(), 85);
    alarm("Errors", errors, 5);
    alarm("Latency", latency, 2);
    alarm("Unhealthy", group.metrics.unhealthyHostCount(), 1);
    new cloudwatch.Dashboard(this, "Dashboard", {
      dashboardName: `${prefix}-sentiment-api`,
      widgets: [[requests, errors, latency].map((metric) => new cloudwatch.GraphWidget({ left: [metric] })),
        [service.metricCpuUtilization(), service.metricMemoryUtilization()].map((metric) => new cloudwatch.GraphWidget({ left: [metric] }))],
    });
  }
}

const app = new cdk.App({ context: {
  "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": true,
  "@aws-cdk/core:defaultCrossStackReferences": "weak",
  "availability-zones:account=123456789012:region=ap-southeast-1": ["ap-southeast-1a", "ap-southeast-1b"],
} });
for (const [environment, nat, min, max] of [["dev", 1, 1, 2], ["prod", 2, 2, 10]]) {
  const prefix = `${NAME}-${environment}`;
  const props = { prefix, env: { account: "123456789012", region: "ap-southeast-1" } };
  const foundation = new Foundation(app, `${prefix}-foundation`, props);
  new Access(app, `${prefix}-access`, { ...props, environment });
  const network = new Network(app, `${prefix}-network`, { ...props, nat });
  const registry = new Registry(app, `${prefix}-registry`, props);
  const capacity = new Cluster(app, `${prefix}-cluster`, { ...props, network });
  new Training(app, `${prefix}-training`, { ...props, foundation, network, registry, capacity });
  new Serving(app, `${prefix}-serving`, { ...props, foundation, network, registry, capacity, min, max });
  cdk.Tags.of(app).add("team", "time-series");
}
app.synth();
