// Generated from sql/ by `npm run db:types`. Do not edit.


export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "access_code_activations": {
                  Row: {
                    "access_code_id": string,"created_at": string,"tokens_granted": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "access_code_id": string,"created_at"?: string,"tokens_granted": number,"user_id": string
                  }
                  Update: {
                    "access_code_id"?: string,"created_at"?: string,"tokens_granted"?: number,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "access_code_activations_access_code_id_fkey"
      columns: ["access_code_id"]
isOneToOne: false
      referencedRelation: "access_codes"
      referencedColumns: ["id"]
    }
                  ]
                },"access_codes": {
                  Row: {
                    "code_hash": string,"code_hint": string,"created_at": string,"created_by": string,"email": string | null,"expires_at": string | null,"id": string,"item": number,"max_uses": number,"note": string | null,"on_top": boolean,"operation_id": string,"revoked_at": string | null,"tokens_to_grant": number,"uses": number
                  }
                  ComputedFields: never
                  Insert: {
                    "code_hash": string,"code_hint": string,"created_at"?: string,"created_by": string,"email"?: string | null,"expires_at"?: string | null,"id"?: string,"item": number,"max_uses"?: number,"note"?: string | null,"on_top"?: boolean,"operation_id": string,"revoked_at"?: string | null,"tokens_to_grant": number,"uses"?: number
                  }
                  Update: {
                    "code_hash"?: string,"code_hint"?: string,"created_at"?: string,"created_by"?: string,"email"?: string | null,"expires_at"?: string | null,"id"?: string,"item"?: number,"max_uses"?: number,"note"?: string | null,"on_top"?: boolean,"operation_id"?: string,"revoked_at"?: string | null,"tokens_to_grant"?: number,"uses"?: number
                  }
                  Relationships: [
                    
                  ]
                },"ai_models": {
                  Row: {
                    "active": boolean,"api_key_variable": string | null,"base_url": string | null,"created_at": string,"description": string | null,"fixed_tokens": number | null,"kind": Database["public"]['Enums']["ai_model_kind"],"markup": number,"max_output_tokens": number,"name": string,"price_mode": Database["public"]['Enums']["price_mode"],"provider": string,"provider_model": string,"provider_version": string | null,"service": string | null,"slug": string,"timeout_seconds": number
                  }
                  ComputedFields: never
                  Insert: {
                    "active"?: boolean,"api_key_variable"?: string | null,"base_url"?: string | null,"created_at"?: string,"description"?: string | null,"fixed_tokens"?: number | null,"kind": Database["public"]['Enums']["ai_model_kind"],"markup"?: number,"max_output_tokens"?: number,"name": string,"price_mode": Database["public"]['Enums']["price_mode"],"provider": string,"provider_model": string,"provider_version"?: string | null,"service"?: string | null,"slug": string,"timeout_seconds"?: number
                  }
                  Update: {
                    "active"?: boolean,"api_key_variable"?: string | null,"base_url"?: string | null,"created_at"?: string,"description"?: string | null,"fixed_tokens"?: number | null,"kind"?: Database["public"]['Enums']["ai_model_kind"],"markup"?: number,"max_output_tokens"?: number,"name"?: string,"price_mode"?: Database["public"]['Enums']["price_mode"],"provider"?: string,"provider_model"?: string,"provider_version"?: string | null,"service"?: string | null,"slug"?: string,"timeout_seconds"?: number
                  }
                  Relationships: [
                    
                  ]
                },"api_token_transactions": {
                  Row: {
                    "actor": string,"amount": number,"created_at": string,"credits_after": number,"id": string,"operation_id": string | null,"reference": string | null,"token_id": string,"type": Database["public"]['Enums']["api_token_transaction_type"],"user_id": string,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "actor": string,"amount": number,"created_at"?: string,"credits_after": number,"id"?: string,"operation_id"?: string | null,"reference"?: string | null,"token_id": string,"type": Database["public"]['Enums']["api_token_transaction_type"],"user_id": string,"version": number
                  }
                  Update: {
                    "actor"?: string,"amount"?: number,"created_at"?: string,"credits_after"?: number,"id"?: string,"operation_id"?: string | null,"reference"?: string | null,"token_id"?: string,"type"?: Database["public"]['Enums']["api_token_transaction_type"],"user_id"?: string,"version"?: number
                  }
                  Relationships: [
                    
                  ]
                },"api_tokens": {
                  Row: {
                    "created_at": string,"credits": number,"hub_id": string | null,"id": string,"key_hint": string | null,"kind": Database["public"]['Enums']["api_token_kind"],"low_balance_threshold": number | null,"name": string,"product_id": string | null,"revoked_at": string | null,"status": Database["public"]['Enums']["api_token_status"],"user_id": string,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"credits"?: number,"hub_id"?: string | null,"id"?: string,"key_hint"?: string | null,"kind": Database["public"]['Enums']["api_token_kind"],"low_balance_threshold"?: number | null,"name": string,"product_id"?: string | null,"revoked_at"?: string | null,"status"?: Database["public"]['Enums']["api_token_status"],"user_id": string,"version"?: number
                  }
                  Update: {
                    "created_at"?: string,"credits"?: number,"hub_id"?: string | null,"id"?: string,"key_hint"?: string | null,"kind"?: Database["public"]['Enums']["api_token_kind"],"low_balance_threshold"?: number | null,"name"?: string,"product_id"?: string | null,"revoked_at"?: string | null,"status"?: Database["public"]['Enums']["api_token_status"],"user_id"?: string,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "api_tokens_product_id_fkey"
      columns: ["product_id"]
isOneToOne: false
      referencedRelation: "products"
      referencedColumns: ["id"]
    }
                  ]
                },"auto_top_ups": {
                  Row: {
                    "created_at": string,"currency": string,"enabled": boolean,"monthly_cap_cents": number,"package_id": string,"price_cents": number,"stopped_at": string | null,"stopped_reason": string | null,"threshold": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"currency": string,"enabled"?: boolean,"monthly_cap_cents": number,"package_id": string,"price_cents": number,"stopped_at"?: string | null,"stopped_reason"?: string | null,"threshold": number,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"currency"?: string,"enabled"?: boolean,"monthly_cap_cents"?: number,"package_id"?: string,"price_cents"?: number,"stopped_at"?: string | null,"stopped_reason"?: string | null,"threshold"?: number,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "auto_top_ups_package_id_fkey"
      columns: ["package_id"]
isOneToOne: false
      referencedRelation: "token_packages"
      referencedColumns: ["id"]
    }
                  ]
                },"currency_rates": {
                  Row: {
                    "created_at": string,"day": string,"source": string,"usd_eur": number
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"day": string,"source"?: string,"usd_eur": number
                  }
                  Update: {
                    "created_at"?: string,"day"?: string,"source"?: string,"usd_eur"?: number
                  }
                  Relationships: [
                    
                  ]
                },"model_prices": {
                  Row: {
                    "cached_input_usd_per_million": number | null,"created_at": string,"id": string,"input_usd_per_million": number | null,"model": string,"output_usd_per_million": number | null,"service": string,"source": string,"usd_per_call": number | null,"usd_per_image": number | null,"usd_per_second": number | null,"valid_from": string,"valid_to": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "cached_input_usd_per_million"?: number | null,"created_at"?: string,"id"?: string,"input_usd_per_million"?: number | null,"model": string,"output_usd_per_million"?: number | null,"service": string,"source"?: string,"usd_per_call"?: number | null,"usd_per_image"?: number | null,"usd_per_second"?: number | null,"valid_from"?: string,"valid_to"?: string | null
                  }
                  Update: {
                    "cached_input_usd_per_million"?: number | null,"created_at"?: string,"id"?: string,"input_usd_per_million"?: number | null,"model"?: string,"output_usd_per_million"?: number | null,"service"?: string,"source"?: string,"usd_per_call"?: number | null,"usd_per_image"?: number | null,"usd_per_second"?: number | null,"valid_from"?: string,"valid_to"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"notices": {
                  Row: {
                    "created_at": string,"data": NonNullable<Json>,"id": string,"read_at": string | null,"type": Database["public"]['Enums']["notice_type"],"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"data": NonNullable<Json>,"id"?: string,"read_at"?: string | null,"type": Database["public"]['Enums']["notice_type"],"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"data"?: NonNullable<Json>,"id"?: string,"read_at"?: string | null,"type"?: Database["public"]['Enums']["notice_type"],"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"products": {
                  Row: {
                    "active": boolean,"created_at": string,"description": string | null,"id": string,"name": string,"value_credits_usd": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "active"?: boolean,"created_at"?: string,"description"?: string | null,"id"?: string,"name": string,"value_credits_usd"?: number | null
                  }
                  Update: {
                    "active"?: boolean,"created_at"?: string,"description"?: string | null,"id"?: string,"name"?: string,"value_credits_usd"?: number | null
                  }
                  Relationships: [
                    
                  ]
                },"purchases": {
                  Row: {
                    "amount_cents": number,"bonus_tokens": number,"created_at": string,"currency": string,"description": string,"disputed_cents": number,"granted_period_start": string | null,"id": string,"kind": Database["public"]['Enums']["purchase_kind"],"package_id": string | null,"paid_at": string,"period_end": string | null,"period_start": string | null,"refunded_cents": number,"stripe_checkout_session_id": string | null,"stripe_id": string,"stripe_invoice_id": string | null,"stripe_payment_intent_id": string | null,"stripe_subscription_id": string | null,"tier": string | null,"tokens_clawed_back": number,"tokens_granted": number,"usd_clawed_back": number,"usd_granted": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "amount_cents": number,"bonus_tokens"?: number,"created_at"?: string,"currency": string,"description": string,"disputed_cents"?: number,"granted_period_start"?: string | null,"id"?: string,"kind": Database["public"]['Enums']["purchase_kind"],"package_id"?: string | null,"paid_at": string,"period_end"?: string | null,"period_start"?: string | null,"refunded_cents"?: number,"stripe_checkout_session_id"?: string | null,"stripe_id": string,"stripe_invoice_id"?: string | null,"stripe_payment_intent_id"?: string | null,"stripe_subscription_id"?: string | null,"tier"?: string | null,"tokens_clawed_back"?: number,"tokens_granted": number,"usd_clawed_back"?: number,"usd_granted"?: number,"user_id": string
                  }
                  Update: {
                    "amount_cents"?: number,"bonus_tokens"?: number,"created_at"?: string,"currency"?: string,"description"?: string,"disputed_cents"?: number,"granted_period_start"?: string | null,"id"?: string,"kind"?: Database["public"]['Enums']["purchase_kind"],"package_id"?: string | null,"paid_at"?: string,"period_end"?: string | null,"period_start"?: string | null,"refunded_cents"?: number,"stripe_checkout_session_id"?: string | null,"stripe_id"?: string,"stripe_invoice_id"?: string | null,"stripe_payment_intent_id"?: string | null,"stripe_subscription_id"?: string | null,"tier"?: string | null,"tokens_clawed_back"?: number,"tokens_granted"?: number,"usd_clawed_back"?: number,"usd_granted"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"refill_transactions": {
                  Row: {
                    "created_at": string,"credits_added": number,"credits_after": number,"fee": number,"id": string,"mode": Database["public"]['Enums']["refill_mode"],"operation_id": string,"product_id": string | null,"rate": number,"token_id": string,"usd_balance_after": number,"usd_spent": number,"user_id": string,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"credits_added": number,"credits_after": number,"fee": number,"id": string,"mode": Database["public"]['Enums']["refill_mode"],"operation_id": string,"product_id"?: string | null,"rate": number,"token_id": string,"usd_balance_after": number,"usd_spent": number,"user_id": string,"version": number
                  }
                  Update: {
                    "created_at"?: string,"credits_added"?: number,"credits_after"?: number,"fee"?: number,"id"?: string,"mode"?: Database["public"]['Enums']["refill_mode"],"operation_id"?: string,"product_id"?: string | null,"rate"?: number,"token_id"?: string,"usd_balance_after"?: number,"usd_spent"?: number,"user_id"?: string,"version"?: number
                  }
                  Relationships: [
                    
                  ]
                },"runs": {
                  Row: {
                    "attempt": string | null,"base_tokens": number | null,"created_at": string,"error": string | null,"expires_at": string,"finished_at": string | null,"id": string,"input_preview": string | null,"markup": number,"model": string | null,"multiplier": number,"operation": string,"operation_id": string,"price_mode": Database["public"]['Enums']["price_mode"],"provider_run_id": string | null,"remaining_after": number,"request_hash": string,"result": Json | null,"service": string,"status": Database["public"]['Enums']["run_status"],"tokens_reserved": number,"tokens_used": number | null,"usage_model": string,"usd_per_token": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "attempt"?: string | null,"base_tokens"?: number | null,"created_at"?: string,"error"?: string | null,"expires_at": string,"finished_at"?: string | null,"id": string,"input_preview"?: string | null,"markup": number,"model"?: string | null,"multiplier": number,"operation": string,"operation_id": string,"price_mode": Database["public"]['Enums']["price_mode"],"provider_run_id"?: string | null,"remaining_after": number,"request_hash": string,"result"?: Json | null,"service": string,"status"?: Database["public"]['Enums']["run_status"],"tokens_reserved": number,"tokens_used"?: number | null,"usage_model": string,"usd_per_token": number,"user_id": string
                  }
                  Update: {
                    "attempt"?: string | null,"base_tokens"?: number | null,"created_at"?: string,"error"?: string | null,"expires_at"?: string,"finished_at"?: string | null,"id"?: string,"input_preview"?: string | null,"markup"?: number,"model"?: string | null,"multiplier"?: number,"operation"?: string,"operation_id"?: string,"price_mode"?: Database["public"]['Enums']["price_mode"],"provider_run_id"?: string | null,"remaining_after"?: number,"request_hash"?: string,"result"?: Json | null,"service"?: string,"status"?: Database["public"]['Enums']["run_status"],"tokens_reserved"?: number,"tokens_used"?: number | null,"usage_model"?: string,"usd_per_token"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"settings": {
                  Row: {
                    "base_rate": number,"id": boolean,"master_rate_usd": number,"past_due_grace_days": number,"purchase_currencies": (string)[],"refill_fee_usd": number,"run_inline_seconds": number,"run_result_days": number,"usage_keep_months": number,"usage_previews": boolean,"usd_per_token": number
                  }
                  ComputedFields: never
                  Insert: {
                    "base_rate"?: number,"id"?: boolean,"master_rate_usd"?: number,"past_due_grace_days"?: number,"purchase_currencies"?: (string)[],"refill_fee_usd"?: number,"run_inline_seconds"?: number,"run_result_days"?: number,"usage_keep_months"?: number,"usage_previews"?: boolean,"usd_per_token"?: number
                  }
                  Update: {
                    "base_rate"?: number,"id"?: boolean,"master_rate_usd"?: number,"past_due_grace_days"?: number,"purchase_currencies"?: (string)[],"refill_fee_usd"?: number,"run_inline_seconds"?: number,"run_result_days"?: number,"usage_keep_months"?: number,"usage_previews"?: boolean,"usd_per_token"?: number
                  }
                  Relationships: [
                    
                  ]
                },"subscribers": {
                  Row: {
                    "admin_bonus_tokens": number,"base_tokens": number,"bonus_tokens": number,"created_at": string,"display_name": string | null,"earned_tokens": number,"email": string | null,"entitlement_granted_at": string | null,"id": string,"locale": string | null,"usage_previews": boolean,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "admin_bonus_tokens"?: number,"base_tokens"?: number,"bonus_tokens"?: number,"created_at"?: string,"display_name"?: string | null,"earned_tokens"?: number,"email"?: string | null,"entitlement_granted_at"?: string | null,"id"?: string,"locale"?: string | null,"usage_previews"?: boolean,"user_id"?: string | null
                  }
                  Update: {
                    "admin_bonus_tokens"?: number,"base_tokens"?: number,"bonus_tokens"?: number,"created_at"?: string,"display_name"?: string | null,"earned_tokens"?: number,"email"?: string | null,"entitlement_granted_at"?: string | null,"id"?: string,"locale"?: string | null,"usage_previews"?: boolean,"user_id"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"subscription_plans": {
                  Row: {
                    "active": boolean,"bonus_credits": number,"created_at": string,"credits_included": number,"currency": string,"description": string | null,"fixed_cost": number,"monthly_cost": number,"multiplier": number,"name": string,"purchase_rate": number,"stripe_product_id": string,"tier": string
                  }
                  ComputedFields: never
                  Insert: {
                    "active"?: boolean,"bonus_credits"?: number,"created_at"?: string,"credits_included": number,"currency"?: string,"description"?: string | null,"fixed_cost"?: number,"monthly_cost": number,"multiplier"?: number,"name": string,"purchase_rate"?: number,"stripe_product_id"?: never,"tier": string
                  }
                  Update: {
                    "active"?: boolean,"bonus_credits"?: number,"created_at"?: string,"credits_included"?: number,"currency"?: string,"description"?: string | null,"fixed_cost"?: number,"monthly_cost"?: number,"multiplier"?: number,"name"?: string,"purchase_rate"?: number,"stripe_product_id"?: never,"tier"?: string
                  }
                  Relationships: [
                    
                  ]
                },"subscriptions": {
                  Row: {
                    "cancel_at_period_end": boolean,"created_at": string,"current_period_end": string,"current_period_start": string,"id": string,"next_tier": string | null,"past_due_since": string | null,"payment_failed_at": string | null,"status": string,"stripe_item_id": string | null,"stripe_subscription_id": string | null,"tier": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "cancel_at_period_end"?: boolean,"created_at"?: string,"current_period_end": string,"current_period_start": string,"id"?: string,"next_tier"?: string | null,"past_due_since"?: string | null,"payment_failed_at"?: string | null,"status": string,"stripe_item_id"?: string | null,"stripe_subscription_id"?: string | null,"tier": string,"user_id": string
                  }
                  Update: {
                    "cancel_at_period_end"?: boolean,"created_at"?: string,"current_period_end"?: string,"current_period_start"?: string,"id"?: string,"next_tier"?: string | null,"past_due_since"?: string | null,"payment_failed_at"?: string | null,"status"?: string,"stripe_item_id"?: string | null,"stripe_subscription_id"?: string | null,"tier"?: string,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "subscriptions_next_tier_fkey"
      columns: ["next_tier"]
isOneToOne: false
      referencedRelation: "subscription_plans"
      referencedColumns: ["tier"]
    },{
      foreignKeyName: "subscriptions_tier_fkey"
      columns: ["tier"]
isOneToOne: false
      referencedRelation: "subscription_plans"
      referencedColumns: ["tier"]
    }
                  ]
                },"token_holds": {
                  Row: {
                    "amount": number,"created_at": string,"description": string | null,"ended_at": string | null,"expires_at": string,"id": string,"metadata": NonNullable<Json>,"operation_id": string,"released_remaining": number | null,"remaining_after": number,"settled_amount": number | null,"status": Database["public"]['Enums']["token_hold_status"],"ttl_seconds": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "amount": number,"created_at"?: string,"description"?: string | null,"ended_at"?: string | null,"expires_at"?: string,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id": string,"released_remaining"?: number | null,"remaining_after"?: number,"settled_amount"?: number | null,"status"?: Database["public"]['Enums']["token_hold_status"],"ttl_seconds"?: number,"user_id": string
                  }
                  Update: {
                    "amount"?: number,"created_at"?: string,"description"?: string | null,"ended_at"?: string | null,"expires_at"?: string,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id"?: string,"released_remaining"?: number | null,"remaining_after"?: number,"settled_amount"?: number | null,"status"?: Database["public"]['Enums']["token_hold_status"],"ttl_seconds"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"token_packages": {
                  Row: {
                    "active": boolean,"bonus_tokens": number,"created_at": string,"currency": string,"description": string | null,"id": string,"name": string,"price_cents": number,"tokens": number,"tokens_granted": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "active"?: boolean,"bonus_tokens"?: number,"created_at"?: string,"currency"?: string,"description"?: string | null,"id"?: string,"name": string,"price_cents": number,"tokens": number,"tokens_granted"?: never
                  }
                  Update: {
                    "active"?: boolean,"bonus_tokens"?: number,"created_at"?: string,"currency"?: string,"description"?: string | null,"id"?: string,"name"?: string,"price_cents"?: number,"tokens"?: number,"tokens_granted"?: never
                  }
                  Relationships: [
                    
                  ]
                },"token_requests": {
                  Row: {
                    "amount": number,"created_at": string,"id": string,"reason": string | null,"status": Database["public"]['Enums']["token_request_status"],"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "amount": number,"created_at"?: string,"id"?: string,"reason"?: string | null,"status"?: Database["public"]['Enums']["token_request_status"],"user_id"?: string
                  }
                  Update: {
                    "amount"?: number,"created_at"?: string,"id"?: string,"reason"?: string | null,"status"?: Database["public"]['Enums']["token_request_status"],"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"token_transactions": {
                  Row: {
                    "account": Database["public"]['Enums']["token_account"],"actor": string,"amount": number,"balance_after": number,"created_at": string,"description": string | null,"id": string,"metadata": NonNullable<Json>,"operation_id": string | null,"reference": string | null,"remaining_after": number,"seq": number,"type": Database["public"]['Enums']["token_transaction_type"],"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "account": Database["public"]['Enums']["token_account"],"actor": string,"amount": number,"balance_after": number,"created_at"?: string,"description"?: string | null,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id"?: string | null,"reference"?: string | null,"remaining_after": number,"seq": number,"type": Database["public"]['Enums']["token_transaction_type"],"user_id": string
                  }
                  Update: {
                    "account"?: Database["public"]['Enums']["token_account"],"actor"?: string,"amount"?: number,"balance_after"?: number,"created_at"?: string,"description"?: string | null,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id"?: string | null,"reference"?: string | null,"remaining_after"?: number,"seq"?: number,"type"?: Database["public"]['Enums']["token_transaction_type"],"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"usage_daily": {
                  Row: {
                    "cached_input_tokens": number,"calls": number,"cost_eur": number,"cost_usd": number,"day": string,"failed_calls": number,"input_tokens": number,"model": string,"operation": string,"output_tokens": number,"response_time_ms": number,"service": string,"timed_calls": number,"tokens_charged": number,"unpriced_calls": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "cached_input_tokens": number,"calls": number,"cost_eur": number,"cost_usd": number,"day": string,"failed_calls": number,"input_tokens": number,"model": string,"operation": string,"output_tokens": number,"response_time_ms": number,"service": string,"timed_calls": number,"tokens_charged": number,"unpriced_calls": number,"user_id": string
                  }
                  Update: {
                    "cached_input_tokens"?: number,"calls"?: number,"cost_eur"?: number,"cost_usd"?: number,"day"?: string,"failed_calls"?: number,"input_tokens"?: number,"model"?: string,"operation"?: string,"output_tokens"?: number,"response_time_ms"?: number,"service"?: string,"timed_calls"?: number,"tokens_charged"?: number,"unpriced_calls"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"usage_events": {
                  Row: {
                    "cached_input_tokens": number,"cost_eur": number | null,"cost_usd": number | null,"error": string | null,"id": string,"images": number,"input_preview": string | null,"input_tokens": number,"model": string,"occurred_at": string,"operation": string,"operation_id": string,"output_summary": string | null,"output_tokens": number,"price_id": string | null,"response_time_ms": number | null,"run_id": string | null,"seconds": number,"service": string,"success": boolean,"tokens_charged": number,"usd_eur": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "cached_input_tokens": number,"cost_eur"?: number | null,"cost_usd"?: number | null,"error"?: string | null,"id"?: string,"images": number,"input_preview"?: string | null,"input_tokens": number,"model": string,"occurred_at": string,"operation": string,"operation_id": string,"output_summary"?: string | null,"output_tokens": number,"price_id"?: string | null,"response_time_ms"?: number | null,"run_id"?: string | null,"seconds": number,"service": string,"success": boolean,"tokens_charged": number,"usd_eur": number,"user_id": string
                  }
                  Update: {
                    "cached_input_tokens"?: number,"cost_eur"?: number | null,"cost_usd"?: number | null,"error"?: string | null,"id"?: string,"images"?: number,"input_preview"?: string | null,"input_tokens"?: number,"model"?: string,"occurred_at"?: string,"operation"?: string,"operation_id"?: string,"output_summary"?: string | null,"output_tokens"?: number,"price_id"?: string | null,"response_time_ms"?: number | null,"run_id"?: string | null,"seconds"?: number,"service"?: string,"success"?: boolean,"tokens_charged"?: number,"usd_eur"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"usd_balances": {
                  Row: {
                    "balance": number,"created_at": string,"journal_seq": number,"low_balance_threshold": number | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "balance"?: number,"created_at"?: string,"journal_seq"?: number,"low_balance_threshold"?: number | null,"user_id": string
                  }
                  Update: {
                    "balance"?: number,"created_at"?: string,"journal_seq"?: number,"low_balance_threshold"?: number | null,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"usd_transactions": {
                  Row: {
                    "actor": string,"amount": number,"balance_after": number,"created_at": string,"description": string | null,"id": string,"metadata": NonNullable<Json>,"operation_id": string | null,"reference": string | null,"seq": number,"type": Database["public"]['Enums']["usd_transaction_type"],"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "actor": string,"amount": number,"balance_after": number,"created_at"?: string,"description"?: string | null,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id"?: string | null,"reference"?: string | null,"seq": number,"type": Database["public"]['Enums']["usd_transaction_type"],"user_id": string
                  }
                  Update: {
                    "actor"?: string,"amount"?: number,"balance_after"?: number,"created_at"?: string,"description"?: string | null,"id"?: string,"metadata"?: NonNullable<Json>,"operation_id"?: string | null,"reference"?: string | null,"seq"?: number,"type"?: Database["public"]['Enums']["usd_transaction_type"],"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                },"user_tokens": {
                  Row: {
                    "created_at": string,"holds_expire_at": string,"journal_balance": number,"journal_seq": number,"low_balance_threshold": number | null,"tokens_purchased": number,"tokens_reserved": number,"tokens_used": number,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"holds_expire_at"?: string,"journal_balance"?: number,"journal_seq"?: number,"low_balance_threshold"?: number | null,"tokens_purchased"?: number,"tokens_reserved"?: number,"tokens_used"?: number,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"holds_expire_at"?: string,"journal_balance"?: number,"journal_seq"?: number,"low_balance_threshold"?: number | null,"tokens_purchased"?: number,"tokens_reserved"?: number,"tokens_used"?: number,"user_id"?: string
                  }
                  Relationships: [
                    
                  ]
                }
          }
          Views: {
            [_ in never]: never
          }
          Functions: {
            "abandon_runs":
{ Args: { "max_runs"?: number }; Returns: number
                           },
"activate_access_code":
{ Args: { "actor"?: string,"address"?: string,"code": string,"operation_id": string,"user_id": string }; Returns: {
              "failure": Json,"remaining": number,"replayed": boolean,"tokens_granted": number
            }[]
                           },
"add_tokens":
{ Args: { "actor"?: string,"amount": number,"description"?: string,"metadata"?: Json,"operation_id": string,"reference"?: string,"type": Database["public"]['Enums']["token_transaction_type"],"user_id": string }; Returns: {
              "added": number,"remaining": number,"replayed": boolean,"transaction_id": string
            }[]
                           },
"attach_provider_run":
{ Args: { "provider_run_id": string,"run_id": string }; Returns: {
              "attached": boolean
            }[]
                           },
"calculate_charge":
{ Args: { "base_amount": number,"user_id": string }; Returns: {
              "amount": number,"multiplier": string
            }[]
                           },
"change_subscription":
{ Args: { "actor"?: string,"operation_id": string,"tier": string,"user_id": string }; Returns: {
              "action": string,"amount_cents": number,"currency": string,"effective_at": string,"product_name": string,"remaining": number,"replayed": boolean,"stripe_item_id": string,"stripe_product_id": string,"stripe_subscription_id": string,"tokens_granted": number
            }[]
                           },
"charge_tokens":
{ Args: { "actor"?: string,"amount": number,"description"?: string,"metadata"?: Json,"operation_id": string,"user_id": string }; Returns: {
              "charged": number,"remaining": number,"replayed": boolean,"transaction_id": string
            }[]
                           },
"charge_tokens_batch":
{ Args: { "actor"?: string,"charges": Json }; Returns: {
              "charged": number,"error": Json,"operation_id": string,"remaining": number,"replayed": boolean,"transaction_id": string,"user_id": string
            }[]
                           },
"check_tokens":
{ Args: { "amount": number,"user_id": string }; Returns: {
              "allowed": boolean,"have": number,"need": number
            }[]
                           },
"claim_auto_top_ups":
{ Args: { "max_count"?: number }; Returns: {
              "amount_cents": number,"currency": string,"description": string,"package_id": string,"stripe_customer_id": string,"tokens": number,"top_up_id": string,"user_id": string
            }[]
                           },
"claim_outbox":
{ Args: { "lease_seconds": number,"max_count": number }; Returns: {
              "attempts": number,"claim_id": string,"created_at": string,"destination": string,"event": string,"id": string,"payload": Json
            }[]
                           },
"consume_api_credits":
{ Args: { "actor"?: string,"amount": number,"api_key": string,"operation_id": string }; Returns: {
              "credits": number,"replayed": boolean,"token_id": string,"version": number
            }[]
                           },
"create_access_codes":
{ Args: { "actor"?: string,"count": number,"email"?: string,"expires_at"?: string,"max_uses"?: number,"note"?: string,"on_top"?: boolean,"operation_id": string,"tokens_to_grant": number }; Returns: {
              "code": string,"code_hint": string,"id": string,"replayed": boolean
            }[]
                           },
"create_api_token":
{ Args: { "kind": string,"name": string,"operation_id": string,"product_id"?: string,"user_id": string }; Returns: {
              "api_key": string,"replayed": boolean,"token_id": string
            }[]
                           },
"deposit_usd":
{ Args: { "actor"?: string,"amount": string,"operation_id": string,"reason"?: string,"user_id": string }; Returns: {
              "deposited": string,"replayed": boolean,"transaction_id": string,"usd_balance": string
            }[]
                           },
"expire_token_holds":
{ Args: { "max_users"?: number }; Returns: number
                           },
"explain_balance":
{ Args: { "user_id": string }; Returns: {
              "amount": number,"created_at": string,"description": string,"line": number,"operation_id": string,"reference": string,"running_total": number,"source": string
            }[]
                           },
"fail_auto_top_up":
{ Args: { "reason": string,"top_up_id": string }; Returns: {
              "stopped": boolean
            }[]
                           },
"finish_outbox":
{ Args: { "claim_id": string,"error"?: string,"hub_id"?: string,"outbox_id": string,"outcome": string,"retry_after_seconds"?: number }; Returns: {
              "status": string
            }[]
                           },
"finish_run":
{ Args: { "actor"?: string,"cached_input_tokens"?: number,"error"?: string,"explicit_cost_usd"?: string,"images"?: number,"input_tokens"?: number,"outcome": string,"output_summary"?: string,"output_tokens"?: number,"response_time_ms"?: number,"result"?: Json,"run_id": string,"seconds"?: number,"tokens"?: number }; Returns: {
              "overdrawn": boolean,"owner_id": string,"reason": string,"remaining": number,"replayed": boolean,"run_status": Database["public"]['Enums']["run_status"],"tokens_used": number
            }[]
                           },
"get_ai_model":
{ Args: { "slug": string }; Returns: {
              "active": boolean,"api_key_variable": string,"base_url": string,"inline_seconds": number,"kind": Database["public"]['Enums']["ai_model_kind"],"max_output_tokens": number,"model": string,"provider": string,"provider_model": string,"provider_version": string,"timeout_seconds": number
            }[]
                           },
"get_auto_top_up":
{ Args: { "user_id": string }; Returns: {
              "currency": string,"enabled": boolean,"in_flight": boolean,"monthly_cap_cents": number,"package_id": string,"spent_cents": number,"stopped_at": string,"stopped_reason": string,"threshold": number
            }[]
                           },
"get_low_balance_thresholds":
{ Args: { "user_id": string }; Returns: {
              "balance": string,"have": string,"low": boolean,"name": string,"threshold": string,"token_id": string
            }[]
                           },
"get_run":
{ Args: { "run_id": string,"user_id"?: string }; Returns: {
              "created_at": string,"expires_at": string,"finished_at": string,"model": string,"owner_id": string,"provider_run_id": string,"reason": string,"remaining": number,"result": Json,"run_status": Database["public"]['Enums']["run_status"],"tokens_used": number
            }[]
                           },
"get_subscription":
{ Args: { "user_id": string }; Returns: {
              "cancel_at_period_end": boolean,"credits_included": number,"current_period_end": string,"current_period_start": string,"email": string,"multiplier": string,"next_tier": string,"purchase_rate": string,"status": string,"stripe_customer_id": string,"tier": string
            }[]
                           },
"get_token_balance":
{ Args: { "user_id": string }; Returns: {
              "admin_bonus": number,"approved_requests": number,"earned": number,"purchased": number,"remaining": number,"reserved": number,"total": number,"used": number
            }[]
                           },
"get_usd_balance":
{ Args: { "user_id": string }; Returns: {
              "usd_balance": string
            }[]
                           },
"handle_stripe_event":
{ Args: { "event": Json }; Returns: {
              "attention": string,"error": string,"outcome": string,"user_id": string
            }[]
                           },
"list_access_codes":
{ Args: { "before_created_at"?: string,"before_id"?: string,"page_size"?: number }; Returns: {
              "code_hint": string,"created_at": string,"created_by": string,"email": string,"expires_at": string,"id": string,"max_uses": number,"note": string,"on_top": boolean,"revoked_at": string,"tokens_to_grant": number,"uses": number
            }[]
                           },
"list_ai_models":
{ Args: Record<PropertyKey, never>; Returns: {
              "description": string,"fixed_tokens": number,"kind": Database["public"]['Enums']["ai_model_kind"],"max_output_tokens": number,"name": string,"price_mode": Database["public"]['Enums']["price_mode"],"slug": string
            }[]
                           },
"list_api_tokens":
{ Args: { "before_created_at"?: string,"before_id"?: string,"page_size"?: number,"token_id"?: string,"user_id": string }; Returns: {
              "created_at": string,"credits": number,"hub_id": string,"id": string,"key_hint": string,"kind": string,"name": string,"product_id": string,"revoked_at": string,"status": string,"version": number
            }[]
                           },
"list_currency_rates":
{ Args: { "before_day"?: string,"page_size"?: number }; Returns: {
              "created_at": string,"day": string,"source": string,"usd_eur": string
            }[]
                           },
"list_model_prices":
{ Args: { "before_created_at"?: string,"before_id"?: string,"in_model"?: string,"in_service"?: string,"page_size"?: number }; Returns: {
              "cached_input_usd_per_million": string,"created_at": string,"id": string,"input_usd_per_million": string,"model": string,"output_usd_per_million": string,"service": string,"source": string,"usd_per_call": string,"usd_per_image": string,"usd_per_second": string,"valid_from": string,"valid_to": string
            }[]
                           },
"list_notices":
{ Args: { "before_created_at"?: string,"before_id"?: string,"page_size": number,"unread"?: boolean,"user_id": string }; Returns: {
              "created_at": string,"data": Json,"id": string,"read_at": string,"type": string
            }[]
                           },
"list_outbox":
{ Args: { "before_created_at"?: string,"before_id"?: string,"in_status"?: string,"page_size": number }; Returns: {
              "attempts": number,"created_at": string,"destination": string,"due_at": string,"error": string,"event": string,"finished_at": string,"id": string,"payload": Json,"status": string,"subject": string
            }[]
                           },
"list_stripe_events":
{ Args: { "before_created_at"?: string,"before_id"?: string,"needs_attention"?: boolean,"page_size": number }; Returns: {
              "attention": string,"created_at": string,"error": string,"id": string,"livemode": boolean,"object_id": string,"occurred_at": string,"outcome": string,"type": string,"user_id": string
            }[]
                           },
"list_subscription_plans":
{ Args: Record<PropertyKey, never>; Returns: {
              "bonus_credits": number,"credits_included": number,"currency": string,"description": string,"fixed_cost": string,"monthly_cost": string,"multiplier": string,"name": string,"purchase_rate": string,"tier": string
            }[]
                           },
"list_token_transactions":
{ Args: { "before_seq"?: number,"page_size": number,"user_id": string }; Returns: {
              "amount": number,"balance_after": number,"created_at": string,"description": string,"id": string,"operation_id": string,"reference": string,"remaining_after": number,"seq": number,"type": string
            }[]
                           },
"list_usage":
{ Args: { "before_id"?: string,"before_occurred_at"?: string,"first_day"?: string,"in_service"?: string,"last_day"?: string,"page_size"?: number,"user_id": string }; Returns: {
              "cached_input_tokens": number,"cost_eur": string,"cost_usd": string,"error": string,"id": string,"images": number,"input_preview": string,"input_tokens": number,"model": string,"occurred_at": string,"operation": string,"operation_id": string,"output_summary": string,"output_tokens": number,"price_id": string,"response_time_ms": number,"run_id": string,"seconds": number,"service": string,"success": boolean,"tokens_charged": number,"usd_eur": string
            }[]
                           },
"preview_refill":
{ Args: { "amount": string,"mode": string,"token_id": string,"user_id": string }; Returns: {
              "credits": number,"credits_added": number,"fee": string,"rate": string,"usd_balance": string,"usd_spent": string
            }[]
                           },
"prune_outbox":
{ Args: { "keep_days"?: number,"max_rows"?: number }; Returns: {
              "deleted": number
            }[]
                           },
"prune_runs":
{ Args: { "max_runs"?: number }; Returns: number
                           },
"quote_checkout":
{ Args: { "amount"?: string,"currency"?: string,"kind": string,"package_id"?: string,"tier"?: string,"user_id": string }; Returns: {
              "amount_cents": number,"description": string,"email": string,"name": string,"price_currency": string,"stripe_customer_id": string,"stripe_product_id": string,"tokens": number,"usd": string
            }[]
                           },
"read_notice":
{ Args: { "notice_id": string,"user_id": string }; Returns: {
              "id": string,"read_at": string
            }[]
                           },
"refill_token":
{ Args: { "actor"?: string,"amount": string,"mode": string,"operation_id": string,"token_id": string,"user_id": string }; Returns: {
              "credits": number,"credits_added": number,"fee": string,"rate": string,"refill_id": string,"replayed": boolean,"usd_balance": string,"usd_spent": string
            }[]
                           },
"refund_tokens":
{ Args: { "actor"?: string,"amount"?: number,"charge_operation_id": string,"description"?: string,"metadata"?: Json,"operation_id": string,"user_id": string }; Returns: {
              "refunded": number,"remaining": number,"replayed": boolean,"transaction_id": string
            }[]
                           },
"release_tokens":
{ Args: { "operation_id": string,"user_id": string }; Returns: {
              "hold_id": string,"released": number,"remaining": number,"replayed": boolean
            }[]
                           },
"rename_api_token":
{ Args: { "name": string,"token_id": string,"user_id": string }; Returns: {
              "renamed": boolean
            }[]
                           },
"replay_outbox":
{ Args: { "outbox_id": string }; Returns: {
              "id": string,"status": string
            }[]
                           },
"replay_outbox_all":
{ Args: { "destination"?: string,"max_count"?: number,"status": string }; Returns: {
              "replayed": number
            }[]
                           },
"replay_stripe_event":
{ Args: { "event_id": string }; Returns: {
              "attention": string,"error": string,"outcome": string,"user_id": string
            }[]
                           },
"reserve_tokens":
{ Args: { "amount": number,"description"?: string,"metadata"?: Json,"operation_id": string,"ttl_seconds"?: number,"user_id": string }; Returns: {
              "expires_at": string,"held": number,"hold_id": string,"remaining": number,"replayed": boolean
            }[]
                           },
"revoke_access_code":
{ Args: { "access_code_id": string }; Returns: {
              "id": string,"revoked_at": string
            }[]
                           },
"revoke_api_token":
{ Args: { "token_id": string,"user_id": string }; Returns: {
              "revoked": boolean
            }[]
                           },
"rotate_usage_months":
{ Args: Record<PropertyKey, never>; Returns: {
              "created": (string)[],"dropped": (string)[]
            }[]
                           },
"save_stripe_customer":
{ Args: { "stripe_customer_id": string,"user_id": string }; Returns: {
              "customer_id": string
            }[]
                           },
"set_auto_top_up":
{ Args: { "enabled": boolean,"monthly_cap_cents": number,"package_id": string,"threshold": number,"user_id": string }; Returns: {
              "saved": boolean
            }[]
                           },
"set_currency_rate":
{ Args: { "day"?: string,"source"?: string,"usd_eur"?: string,"usd_per_eur"?: string }; Returns: {
              "outcome": string,"rate": string,"rate_day": string
            }[]
                           },
"set_low_balance_threshold":
{ Args: { "balance": string,"threshold"?: string,"token_id"?: string,"user_id": string }; Returns: {
              "saved": boolean
            }[]
                           },
"set_model_price":
{ Args: { "cached_input_usd_per_million"?: string,"input_usd_per_million"?: string,"model": string,"output_usd_per_million"?: string,"service": string,"source"?: string,"usd_per_call"?: string,"usd_per_image"?: string,"usd_per_second"?: string,"valid_from"?: string }; Returns: {
              "in_force_from": string,"outcome": string,"price_id": string
            }[]
                           },
"settle_tokens":
{ Args: { "actor"?: string,"amount"?: number,"operation_id": string,"user_id": string }; Returns: {
              "charged": number,"overdrawn": boolean,"remaining": number,"replayed": boolean,"transaction_id": string
            }[]
                           },
"start_model_run":
{ Args: { "attempt"?: string,"images"?: number,"input_preview"?: string,"input_tokens"?: number,"operation"?: string,"operation_id": string,"output_tokens"?: number,"request": Json,"seconds"?: number,"slug": string,"user_id": string }; Returns: {
              "expires_at": string,"remaining": number,"replayed": boolean,"run_id": string,"run_status": Database["public"]['Enums']["run_status"],"tokens_reserved": number
            }[]
                           },
"start_run":
{ Args: { "amount": number,"attempt"?: string,"input_preview"?: string,"model": string,"operation": string,"operation_id": string,"request": Json,"service": string,"ttl_seconds"?: number,"user_id": string }; Returns: {
              "expires_at": string,"remaining": number,"replayed": boolean,"run_id": string,"run_status": Database["public"]['Enums']["run_status"],"tokens_reserved": number
            }[]
                           },
"summarize_usage":
{ Args: { "from_day"?: string,"period"?: string,"service"?: string,"to_day"?: string,"user_id": string,"with_days"?: boolean }; Returns: {
              "average_response_time_ms": number,"by_day": Json,"by_model": Json,"by_operation": Json,"by_service": Json,"cached_input_tokens": number,"failed_calls": number,"first_day": string,"input_tokens": number,"last_day": string,"output_tokens": number,"tokens_charged": number,"total_calls": number,"total_cost_eur": string,"total_cost_usd": string,"total_tokens": number,"unpriced_calls": number
            }[]
                           },
"track_usage":
{ Args: { "actor"?: string,"cached_input_tokens"?: number,"error"?: string,"explicit_cost_usd"?: string,"images"?: number,"input_preview"?: string,"input_tokens"?: number,"model": string,"occurred_at"?: string,"operation": string,"operation_id": string,"output_summary"?: string,"output_tokens"?: number,"response_time_ms"?: number,"seconds"?: number,"service": string,"success"?: boolean,"tokens"?: number,"user_id": string }; Returns: {
              "cost_eur": string,"cost_usd": string,"overdrawn": boolean,"price_id": string,"recorded_at": string,"remaining": number,"replayed": boolean,"tokens_charged": number,"unpriced": boolean,"usage_id": string,"usd_eur": string
            }[]
                           },
"track_usage_batch":
{ Args: { "actor"?: string,"calls": Json }; Returns: {
              "cost_eur": string,"cost_usd": string,"error": Json,"item": number,"overdrawn": boolean,"price_id": string,"recorded_at": string,"remaining": number,"replayed": boolean,"tokens_charged": number,"unpriced": boolean,"usage_id": string,"usd_eur": string
            }[]
                           },
"verify_ledger":
{ Args: Record<PropertyKey, never>; Returns: {
              "actual": number,"expected": number,"problem": string,"user_id": string
            }[]
                           }
          }
          Enums: {
            "ai_model_kind": "text"|"image"|"video"|"embedding","api_token_kind": "product"|"master","api_token_status": "active"|"revoked","api_token_transaction_type": "refill"|"consume"|"adjustment","notice_type": "balance.low"|"auto_top_up.stopped","price_mode": "fixed"|"metered","purchase_kind": "package"|"tokens"|"subscription"|"top_up"|"usd_deposit","refill_mode": "usd"|"credits","run_status": "running"|"succeeded"|"failed"|"canceled"|"abandoned","token_account": "purchased"|"earned"|"admin_bonus"|"approved_requests"|"used","token_hold_status": "active"|"settled"|"released"|"expired","token_request_status": "pending"|"approved"|"rejected","token_transaction_type": "purchase"|"access_code"|"subscription"|"bonus"|"referral"|"request"|"add"|"charge"|"refund"|"clawback"|"adjustment"|"expire","usd_transaction_type": "deposit"|"refill"|"clawback"|"adjustment"
          }
          CompositeTypes: {
            [_ in never]: never
          }
        }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R
    }
    ? R
    : never
  : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I
    }
    ? I
    : never
  : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U
    }
    ? U
    : never
  : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
  ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
  ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never

export const Constants = {
  "public": {
          Enums: {
            "ai_model_kind": ["text", "image", "video", "embedding"],"api_token_kind": ["product", "master"],"api_token_status": ["active", "revoked"],"api_token_transaction_type": ["refill", "consume", "adjustment"],"notice_type": ["balance.low", "auto_top_up.stopped"],"price_mode": ["fixed", "metered"],"purchase_kind": ["package", "tokens", "subscription", "top_up", "usd_deposit"],"refill_mode": ["usd", "credits"],"run_status": ["running", "succeeded", "failed", "canceled", "abandoned"],"token_account": ["purchased", "earned", "admin_bonus", "approved_requests", "used"],"token_hold_status": ["active", "settled", "released", "expired"],"token_request_status": ["pending", "approved", "rejected"],"token_transaction_type": ["purchase", "access_code", "subscription", "bonus", "referral", "request", "add", "charge", "refund", "clawback", "adjustment", "expire"],"usd_transaction_type": ["deposit", "refill", "clawback", "adjustment"]
          }
        }
} as const
