"""A clip of four grey frames, 32 x 32 pixels, H.264 in .mp4, for trials."""
import base64
import zlib

SAMPLE_FRAMES = 4
# Of `ffmpeg -f lavfi -i color=gray:size=32x32:rate=10 -frames:v 4 -c:v
# libx264 -pix_fmt yuv420p`, compressed.
SAMPLE_CLIP = zlib.decompress(
    base64.b64decode(
        'eNpjYGBQSCupLMgszs9lYGBiANFAbJRYlmyYW2BiyMDAwJFWlJoKpF1zUxJLgLRg'
        'akcLw/9/3zPmMxl3NVx37fsPFOR0nKW5ke//v9UNIB2M81yfmP/3cQSyuR1n+Xxo'
        '81kmcP/fagYGZpfc/PwyoHBObllGCgMKYH7BwMA4gYGRAYQQgBFVFTrfgQEvYAKi'
        'ySVFidlAdkxJNthOZkzTgPYy4LcHq70KUMzAoJKaUlIMpGVSc4pLEDpA5rJA9TJx'
        '56ZkJoJ05Kag+10DiAUYQo+AOboZKTlFMJmyzJRUZJVhQH6+R2JeSk4qSA3jttzM'
        'vDQgQ6QsF2wosjNVUiByMilFqWlI3uApLcpRgDqwrLgkKQfI3ldcUpyCpGYdKAXg'
        'CAqQpxUYPIC0B0wFjw9QvUJOZlKFkZkJtoiQ+A9KJiZAVc6MKQxc/x8yiKcD6TVP'
        'VDcIgqKEEUSI8AupCjEysGW8fnxa6cDfHz9AOgUKEosLoK4AYZGkkiJoELMcgZle'
        'XAIOfphrWcAIqBboK2RxEDZIRqhlgYixQOU5kH0LE5cBmpGMZgZUH4MKUK4KyZcg'
        'cVEg5gWFMhDzQ9yQnI+k3wCIbUtTSkBJwTQ3FUyDgCJytAOTSlFiQUEOchByZALT'
        'FgCjMYId'))
