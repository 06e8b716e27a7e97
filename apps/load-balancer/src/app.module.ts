import { Module, type DynamicModule } from '@nestjs/common';
import { ReverseProxy, type ReverseProxyOptions } from '@holdfast/load-balancer';

/** The two doors of the balancer. */
export const S3_PROXY = Symbol('S3 proxy');
export const ADMIN_PROXY = Symbol('admin proxy');

@Module({})
export class AppModule {
  static forRoot(options: { s3: ReverseProxyOptions; admin: ReverseProxyOptions }): DynamicModule {
    return {
      module: AppModule,
      providers: [
        { provide: S3_PROXY, useFactory: () => new ReverseProxy(options.s3) },
        { provide: ADMIN_PROXY, useFactory: () => new ReverseProxy(options.admin) },
      ],
    };
  }
}
