import { Body, Controller, Get, Header, HttpCode, Inject, Post } from '@nestjs/common';
import { z } from 'zod';
import { Public } from './access.js';
import { adminCall } from './admin-call.js';
import { ADMIN_PORTS, type AdminPorts } from './admin-ports.js';
import { ZodPipe } from './zod-pipe.js';

const CredentialsSchema = z.union([
  z.strictObject({ accessKeyId: z.string().min(1).max(256), secretAccessKey: z.string().min(1).max(256) }),
  z.strictObject({
    account: z.string().min(1).max(128),
    user: z.string().min(1).max(128),
    password: z.string().min(1).max(1024),
  }),
]);
type Credentials = z.infer<typeof CredentialsSchema>;

interface TokenReply {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in: number;
}

@Controller()
export class TokenController {
  constructor(@Inject(ADMIN_PORTS) private readonly ports: AdminPorts) {}

  /** Errors: InvalidCredentials for every reason alike. */
  @Public()
  @Post('auth/token')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  async token(@Body(new ZodPipe(CredentialsSchema)) body: Credentials): Promise<TokenReply> {
    const credentials =
      'accessKeyId' in body ? { kind: 'access-key' as const, ...body } : { kind: 'password' as const, ...body };
    const { accessToken, expiresInSeconds } = await this.ports.identity.issueToken(adminCall(), credentials);
    return { access_token: accessToken, token_type: 'Bearer', expires_in: expiresInSeconds };
  }

  @Public()
  @Get('.well-known/jwks.json')
  @Header('Content-Type', 'application/json')
  async jwks(): Promise<string> {
    return (await this.ports.identity.jwks(adminCall(), {})).json;
  }
}
